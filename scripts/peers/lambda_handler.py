"""What a Lambda function in Python would import to train or predict; scripts/bench measures its start."""

import pandas
import sklearn.linear_model


def handler(event, context):
    """Answers that it is there."""
    return {"pandas": pandas.__version__, "model": sklearn.linear_model.Ridge.__name__}
