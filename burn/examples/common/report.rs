//! Tables of what was learnt and what it took.

use crate::common::watch::Costs;

/// A row of a table.
pub struct Row<'a> {
    /// The loss, with what else tells the row from others.
    pub loss: &'a str,
    /// Who computes it.
    pub by: &'a str,
    /// Its value at the end.
    pub value: f64,
    /// How good what was learnt is, in words.
    pub score: String,
    pub costs: Costs,
}

/// The line above the rows; the score is a column with a name.
pub fn print_header(score: &str) {
    println!(
        "{:32}{:8}{:>10}{score:>22}{:>12}{:>12}{:>8}{:>12}",
        "loss", "by", "value", "a step", "its loss", "share", "memory"
    );
}

/// Says below two rows how far the losses of their steps are apart at most.
pub fn print_difference(ours: &[f64], burns: &[f64]) {
    let difference = ours.iter().zip(burns).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("{:32}the curves differ by {difference:.1e} at most", "");
}

impl Row<'_> {
    pub fn print(&self) {
        let Costs { step, loss, memory } = self.costs;
        println!(
            "{:32}{:8}{:>10.5}{:>22}{:>9.2} ms{:>9.2} ms{:>6.0} %{:>8.1} MiB",
            self.loss,
            self.by,
            self.value,
            self.score,
            1e3 * step,
            1e3 * loss,
            100.0 * loss / step,
            memory as f64 / (1024.0 * 1024.0)
        );
    }
}
