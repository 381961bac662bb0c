//! What is timed.

use std::time::Instant;

/// A loss with its gradients, of inputs that are on the device already.
pub trait Step {
    /// Computes both, and returns when the device has done so.
    fn run(&mut self);

    /// Runs once, and says how many seconds it took.
    fn time(&mut self) -> f64 {
        let start = Instant::now();
        self.run();
        start.elapsed().as_secs_f64()
    }
}
