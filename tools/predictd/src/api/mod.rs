//! What is asked and what is answered, without a transport: the HTTP server and the Lambda function share it.

pub(crate) mod csv;
pub(crate) mod find_model;
pub(crate) mod frame;
pub(crate) mod handlers;
pub(crate) mod invocations;
pub(crate) mod lookup;
pub(crate) mod openapi;
pub(crate) mod predict;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod router;
