//! The native baseline: the component's function behind hyper with its default settings. No sandbox, limits, metrics,
//! log or lockdown. Its only argument is the listen address.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::{env, io};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use status_component::status::{self, APP_VERSION, COMMIT_SHA, Method};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: native ADDRESS:PORT")?.parse()?;
    let variables = [APP_VERSION, COMMIT_SHA].map(|name| env::var(name).map(|value| (name.to_owned(), value)));
    let [version, commit] = variables;
    let variables: &'static [_] = Box::leak(Box::new([version?, commit?]));
    Ok(Runtime::new()?.block_on(serve(address, variables))?)
}

async fn serve(address: SocketAddr, variables: &'static [(String, String)]) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(move |request| async move { Ok::<_, Infallible>(respond(&request, variables)) });
        // The connection's error is ignored: it means that the client closed it.
        tokio::spawn(async move {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

fn respond(request: &Request<Incoming>, variables: &[(String, String)]) -> Response<Full<Bytes>> {
    let method = match *request.method() {
        hyper::Method::GET => Method::Get,
        hyper::Method::HEAD => Method::Head,
        _ => Method::Other,
    };
    let target = request.uri().path_and_query().map(PathAndQuery::as_str);
    let component_response = status::respond(method, target, variables);
    let mut response = Response::new(Full::new(component_response.body.into()));
    *response.status_mut() = StatusCode::from_u16(component_response.status).unwrap_or_default();
    for (name, value) in component_response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
