//! Operations on `response-outparam`, `outgoing-response` and `outgoing-body`.

use crate::bindings::wasi::http::types::{ErrorCode, OutgoingBody, OutgoingResponse, ResponseOutparam};

use super::{Answer, Numbered, Operands, Script};

impl Script {
    pub(super) fn outparam(&mut self, name: &str) -> Answer {
        let out = self.out.take()?;
        Some(match name {
            "error" => {
                ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("reason".to_owned()))));
                "set".to_owned()
            }
            "drop" => {
                drop(out);
                "dropped".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }

    pub(super) fn response(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        match name {
            "new" => return self.new_response(operands),
            "set" => return self.set_response(operands),
            "drop" => {
                operands.remove(0, &mut self.responses)?;
                return Some("dropped".to_owned());
            }
            _ => {}
        }
        let Numbered { response, resource } = operands.get(0, &self.responses)?;
        Some(match name {
            "status" => resource.status_code().to_string(),
            "set-status" => {
                let status = u16::try_from(operands.number(1)).unwrap();
                format!("{:?}", resource.set_status_code(status))
            }
            "headers" => {
                self.fields.push(resource.headers());
                "made".to_owned()
            }
            "body" => {
                let (response, body) = (*response, resource.body());
                let answer = format!("{:?}", body.as_ref().map(|_| ()));
                self.bodies.extend(body.map(|resource| Numbered { response, resource }));
                answer
            }
            _ => panic!("unknown operation"),
        })
    }

    fn new_response(&mut self, operands: &Operands<'_>) -> Answer {
        let fields = operands.remove(0, &mut self.fields)?;
        self.responses.push(Numbered {
            response: self.made,
            resource: OutgoingResponse::new(fields),
        });
        self.made += 1;
        Some("made".to_owned())
    }

    fn set_response(&mut self, operands: &Operands<'_>) -> Answer {
        let response = operands.remove(0, &mut self.responses)?;
        let Some(out) = self.out.take() else {
            self.responses.push(response);
            return None;
        };
        self.set = Some(response.response);
        ResponseOutparam::set(out, Ok(response.resource));
        Some("set".to_owned())
    }

    pub(super) fn body(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        Some(match name {
            "write" => {
                let Numbered { response, resource } = operands.get(0, &self.bodies)?;
                let (response, stream) = (*response, resource.write());
                let answer = format!("{:?}", stream.as_ref().map(|_| ()));
                self.outputs
                    .extend(stream.map(|resource| Numbered { response, resource }));
                answer
            }
            "finish" => {
                let body = operands.remove(0, &mut self.bodies)?.resource;
                format!("{:?}", OutgoingBody::finish(body, None))
            }
            "finish-with-trailers" => {
                let trailers = operands.remove(1, &mut self.fields)?;
                let body = operands.remove(0, &mut self.bodies)?.resource;
                format!("{:?}", OutgoingBody::finish(body, Some(trailers)))
            }
            "drop" => {
                operands.remove(0, &mut self.bodies)?;
                "dropped".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }
}
