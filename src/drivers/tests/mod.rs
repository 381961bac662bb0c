//! Tests of the kernels of all losses and operations. What a driver does is a function of the call: only `loops` and
//! `races` need a device, to count on and to run lanes in other orders on.

mod asked;
mod calls;
mod compilers;
mod declarations;
mod device;
mod hooks;
mod interface;
mod kernels;
mod loops;
mod ops;
mod races;
mod sharing;
mod structs;
mod validity;
mod words;

/// Whether this is the long run of the tests, which takes everything; the short one takes one of so many.
fn is_long_run() -> bool {
    std::env::var("WGLOSS_TESTS").is_ok_and(|tests| ["long", "all"].contains(&tests.as_str()))
}
