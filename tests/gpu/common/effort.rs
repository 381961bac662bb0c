//! How much of the many combinations a run of the tests tries, and on how many adapters.

use wgloss::Gpu;

use super::adapters;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// `make test`: few combinations, and most tests on one of the CPU adapters.
    Short,
    /// `make test-all`: more combinations, on every adapter.
    Long,
    /// `make combinations`, `make parity`: all, on every adapter.
    All,
}

/// By the environment variable `WGLOSS_TESTS`: `long`, `all`, or unset.
pub fn run() -> Run {
    match std::env::var("WGLOSS_TESTS").as_deref() {
        Err(_) => Run::Short,
        Ok("long") => Run::Long,
        Ok("all") => Run::All,
        Ok(other) => panic!("WGLOSS_TESTS is {other:?}, which is neither unset nor `long` nor `all`"),
    }
}

pub fn is_full() -> bool {
    run() == Run::All
}

/// Those of `all` for the combination of that number: each, or, where there are more combinations than time, one: they
/// take turns.
pub fn taking_turns<T>(all: &[T], turn: usize) -> impl Iterator<Item = &T> {
    let is_full = is_full();
    all.iter().enumerate().filter(move |(index, _)| is_full || *index == turn % all.len()).map(|(_, one)| one)
}

/// Of what makes kernels of its own in every test, as each loss does: one of 15 in a short run, every fifth in a long
/// one, or all. Tests begin with the first, the second, … to the fifth fifth, so that they take different ones.
pub fn some<T>(all: impl Iterator<Item = T>, fifth: usize) -> impl Iterator<Item = T> {
    let step = match run() {
        Run::Short => 15,
        Run::Long => 5,
        Run::All => 1,
    };
    all.skip(fifth * step / 5).step_by(step)
}

/// The adapter for the combination of that number in every run, where the combinations beside it are so many that each
/// adapter has its own.
pub fn adapter(turn: usize) -> impl Iterator<Item = &'static Gpu> {
    let all = adapters::every();
    all.iter().skip(turn % all.len()).take(1)
}

/// The adapters for the combination of that number.
pub fn adapters(turn: usize) -> impl Iterator<Item = &'static Gpu> {
    taking_turns(adapters::every(), turn)
}
