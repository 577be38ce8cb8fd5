//! What `/status` answers: a pure function of the request and the granted variables.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | 200, the version and commit as JSON |
//! | `HEAD /status` | the same without the body |
//! | another method on `/status` | 405 with `Allow` |
//! | another path | 404 |
//!
//! Errors are problem details (RFC 9457). A variable that was not granted is a 500 that names it.

use std::borrow::Cow;

use serde::Serialize;

/// The variable that holds the version of the application.
pub const APP_VERSION: &str = "APP_VERSION";

/// The variable that holds the git commit that the application was built from.
pub const COMMIT_SHA: &str = "COMMIT_SHA";

const PATH: &str = "/status";
const ALLOW: &str = "GET, HEAD";
const DESCRIPTION: &str = "pre-interview technical test";

/// The methods that the answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// Any other method.
    Other,
}

/// A whole response, ready to be sent as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and their values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The content; empty for `HEAD`.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Status<'a> {
    myapplication: [Application<'a>; 1],
}

#[derive(Serialize)]
struct Application<'a> {
    version: &'a str,
    lastcommitsha: &'a str,
    description: &'a str,
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// Answers a request for `path_with_query` (the origin form of the target, RFC 9112 section 3.2.1) from `variables`,
/// the environment as granted. Of a variable that is there twice the first value counts.
#[must_use]
pub fn respond(method: Method, path_with_query: Option<&str>, variables: &[(String, String)]) -> Response {
    let mut response = route(method, path_with_query.unwrap_or_default(), variables);
    if method == Method::Head {
        response.body.clear();
    }
    response
}

fn route(method: Method, path_with_query: &str, variables: &[(String, String)]) -> Response {
    let path = path_with_query
        .split_once('?')
        .map_or(path_with_query, |(path, _query)| path);
    match (path, method) {
        (PATH, Method::Get | Method::Head) => status(variables),
        (PATH, Method::Other) => method_not_allowed(),
        _ => not_found(),
    }
}

fn status(variables: &[(String, String)]) -> Response {
    let version = match granted(variables, APP_VERSION) {
        Ok(version) => version,
        Err(problem) => return problem,
    };
    let lastcommitsha = match granted(variables, COMMIT_SHA) {
        Ok(commit) => commit,
        Err(problem) => return problem,
    };
    let application = Application {
        version,
        lastcommitsha,
        description: DESCRIPTION,
    };
    let myapplication = [application];
    json(200, "application/json", &Status { myapplication })
}

fn granted<'a>(variables: &'a [(String, String)], name: &str) -> Result<&'a str, Response> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .ok_or_else(|| not_granted(name))
}

fn not_granted(name: &str) -> Response {
    let detail = format!("the variable `{name}` is not granted to the component");
    problem(500, "Internal Server Error", &detail)
}

fn method_not_allowed() -> Response {
    let detail = "only GET and HEAD are answered here";
    let mut response = problem(405, "Method Not Allowed", detail);
    response.headers.push(("allow", ALLOW.into()));
    response
}

fn not_found() -> Response {
    problem(404, "Not Found", "only /status is served here")
}

fn problem(status: u16, title: &str, detail: &str) -> Response {
    let problem = Problem { title, status, detail };
    json(status, "application/problem+json", &problem)
}

fn json(status: u16, content_type: &'static str, content: &impl Serialize) -> Response {
    // Fails on map keys and I/O errors only, and there is neither here.
    let body = serde_json::to_vec(content).unwrap_or_default();
    let headers = vec![
        ("content-type", content_type.into()),
        ("content-length", body.len().to_string().into()),
        ("cache-control", "no-store".into()),
        ("x-content-type-options", "nosniff".into()),
    ];
    Response { status, headers, body }
}
