"""`features` in mlforecast: hourly series 24 hours ahead. What it says of itself is reading and `preprocess` alone.

features_mlforecast.py rows.csv features.csv
"""

import sys
import time

import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean

started = time.perf_counter()
source, target = sys.argv[1:]
frame = pd.read_csv(source, parse_dates=["ts"])
forecast = MLForecast(
    models=[],
    freq="h",
    lags=[24, 48, 168, 336],
    lag_transforms={
        24: [
            RollingMean(24, min_samples=1),
            RollingMean(168, min_samples=1),
            ExponentiallyWeightedMean(alpha=1 - 0.5 ** (1 / 24)),
        ]
    },
    num_threads=2,
)
made = forecast.preprocess(
    frame, id_col="series", time_col="ts", target_col="requests", static_features=[], dropna=False
)
inner = time.perf_counter() - started
made.to_csv(target, index=False)
print(f"inner {inner}", file=sys.stderr)
