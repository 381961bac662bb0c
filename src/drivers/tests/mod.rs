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

/// One of how many is taken: in a short run (`make test`), in a long one (`make test-all`), and otherwise each.
fn one_of(short: usize, long: usize) -> usize {
    match std::env::var("WGLOSS_TESTS").as_deref() {
        Err(_) => short,
        Ok("long") => long,
        Ok(_) => 1,
    }
}

/// Whether this run takes everything.
fn is_whole_run() -> bool {
    one_of(2, 2) == 1
}
