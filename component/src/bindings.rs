//! The world, as `wit-bindgen` makes it from `wit/status.wit`.

#![expect(unsafe_code, reason = "values cross the component's boundary as raw memory")]
#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

use crate::handler::Handler;

#[cfg(not(feature = "standalone"))]
wit_bindgen::generate!({
    path: "../wit",
    world: "status",
    generate_all,
    // What a call takes is lent to it, and not copied first.
    ownership: Borrowing { duplicate_if_necessary: false },
});

#[cfg(feature = "standalone")]
wit_bindgen::generate!({
    path: "../wit",
    world: "standalone",
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: false },
});

export!(Handler);
