//! Operations on `incoming-request`, `incoming-body` and `future-trailers`.

use crate::bindings::wasi::http::types::IncomingBody;

use super::{Answer, Operands, Script};

impl Script {
    pub(super) fn request(&mut self, name: &str) -> Answer {
        let request = self.request.first()?;
        Some(match name {
            "method" => format!("{:?}", request.method()),
            "path" => format!(
                "{:?}",
                request.path_with_query().map(|path| path.starts_with("/script/"))
            ),
            "scheme" => format!("{:?}", request.scheme()),
            "authority" => format!("{:?}", request.authority()),
            "headers" => {
                self.fields.push(request.headers());
                "made".to_owned()
            }
            "consume" => {
                let body = request.consume();
                let answer = format!("{:?}", body.as_ref().map(|_| ()));
                self.incoming.extend(body);
                answer
            }
            "drop" => {
                self.request.clear();
                "dropped".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }

    pub(super) fn incoming(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        Some(match name {
            "stream" => {
                let stream = operands.get(0, &self.incoming)?.stream();
                let answer = format!("{:?}", stream.as_ref().map(|_| ()));
                self.inputs.extend(stream);
                answer
            }
            "finish" => {
                let body = operands.remove(0, &mut self.incoming)?;
                self.trailers.push(IncomingBody::finish(body));
                "finished".to_owned()
            }
            "drop" => {
                operands.remove(0, &mut self.incoming)?;
                "dropped".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }

    pub(super) fn trailers(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        if name == "drop" {
            operands.remove(0, &mut self.trailers)?;
            return Some("dropped".to_owned());
        }
        let trailers = operands.get(0, &self.trailers)?;
        Some(match name {
            "subscribe" => {
                self.pollables.push(trailers.subscribe());
                "made".to_owned()
            }
            "get" => format!("{:?}", trailers.get()),
            "wait" => {
                trailers.subscribe().block();
                format!("{:?}", trailers.get())
            }
            _ => panic!("unknown operation"),
        })
    }
}
