//! The longest that a request may take, from its route to its answer: its body, its questions to the
//! store and whatever else it waits for. A push has its own rule.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{ResponseError, web};

use super::routes::{self, Access};
use super::{Refusal, State};

/// When to come again, in seconds.
const SOON_S: u32 = 5;

/// Answers a request in time, or says that it could not be.
pub(super) async fn keep(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let state = request.app_data::<web::Data<State>>().cloned();
    let bounded = state.filter(|_| routes::access(request.path()) != Access::Signed);
    let Some(state) = bounded else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let asked = request.request().clone();
    match tokio::time::timeout(state.door.request_timeout(), next.call(request)).await {
        Ok(answered) => Ok(answered?.map_into_boxed_body()),
        Err(_elapsed) => {
            let late = Refusal::Later { retry_after: SOON_S };
            Ok(ServiceResponse::new(asked, late.error_response().map_into_boxed_body()))
        }
    }
}
