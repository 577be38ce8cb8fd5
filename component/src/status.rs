//! The logic of `/status`: a pure function from the request and the environment variables to the response.
//!
//! | request | response |
//! |---|---|
//! | `GET /status` | 200, the version and commit as JSON |
//! | `HEAD /status` | as `GET`, without the body |
//! | any other method on `/status` | 405 with `Allow` |
//! | any other path | 404 |
//!
//! If a variable is not set, the response is a 500 that names it. Errors are problem details (RFC 9457).

use std::borrow::Cow;

use serde::Serialize;

/// The environment variable with the version of the application.
pub const APP_VERSION: &str = "APP_VERSION";

/// The environment variable with the Git commit of the application.
pub const COMMIT_SHA: &str = "COMMIT_SHA";

const PATH: &str = "/status";
const ALLOW: &str = "GET, HEAD";
const DESCRIPTION: &str = "pre-interview technical test";

/// The request method, as far as the response depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// Any other method.
    Other,
}

/// A complete response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Lower-case names and their values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Empty for `HEAD`.
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

/// Returns the response to a request for `path_with_query` (the target in origin form, RFC 9112 section 3.2.1).
///
/// `variables` is the environment of the component. If a name occurs twice, the first value is used.
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
    let version = match required_variable(variables, APP_VERSION) {
        Ok(version) => version,
        Err(problem) => return problem,
    };
    let lastcommitsha = match required_variable(variables, COMMIT_SHA) {
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

fn required_variable<'a>(variables: &'a [(String, String)], name: &str) -> Result<&'a str, Response> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .ok_or_else(|| not_set(name))
}

fn not_set(name: &str) -> Response {
    let detail = format!("environment variable `{name}` is not set");
    problem(500, "Internal Server Error", &detail)
}

fn method_not_allowed() -> Response {
    let mut response = problem(405, "Method Not Allowed", "only GET and HEAD are allowed");
    response.headers.push(("allow", ALLOW.into()));
    response
}

fn not_found() -> Response {
    problem(404, "Not Found", "the only resource is /status")
}

fn problem(status: u16, title: &str, detail: &str) -> Response {
    let problem = Problem { title, status, detail };
    json(status, "application/problem+json", &problem)
}

fn json(status: u16, content_type: &'static str, content: &impl Serialize) -> Response {
    // Only map keys and I/O can make it fail, and neither occurs here.
    let body = serde_json::to_vec(content).unwrap_or_default();
    let headers = vec![
        ("content-type", content_type.into()),
        ("content-length", body.len().to_string().into()),
        ("cache-control", "no-store".into()),
        ("x-content-type-options", "nosniff".into()),
    ];
    Response { status, headers, body }
}
