//! How long an answer may be that is read whole: an error, or a page of a listing.

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use http_body_util::Limited;

/// A page of a thousand keys of a thousand bytes each, and what stands around them.
const PAGE_BYTES: usize = 16 << 20;

/// Nobody explains an error at greater length.
const ERROR_BYTES: usize = 1 << 20;

/// Cuts answers that are longer. An object's content is no such answer: it is read as it comes.
#[derive(Debug)]
pub(crate) struct AnswerLimit;

impl Intercept for AnswerLimit {
    fn name(&self) -> &'static str {
        "answer limit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_success = context.response().status().is_success();
        let is_content =
            is_success && bag.load::<Metadata>().is_some_and(|operation| operation.name() == "GetObject");
        if !is_content {
            let most = if is_success { PAGE_BYTES } else { ERROR_BYTES };
            let body = context.response_mut().take_body();
            *context.response_mut().body_mut() = SdkBody::from_body_1_x(Limited::new(body, most));
        }
        Ok(())
    }
}
