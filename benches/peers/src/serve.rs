//! Times of wgloss for programs that time other libraries, so that both see the same machine.
//!
//! Standard output begins with one line, a [`Greeting`]. Each line of standard input is a [`Request`], and is answered
//! by one line: `{"times_ms": […]}`, or `{"error": "…"}`.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, BufRead, Write},
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wgloss::{
    DType, Gpu,
    bench::{ClockKind, Report},
};

use crate::{find_loss, inputs, kinds::Kind, step::Step, wgloss_step::WglossStep};

#[derive(Serialize)]
struct Greeting {
    /// The report of these times, without them.
    report: Report,
    /// The shapes that losses of each kind are timed at.
    shapes: BTreeMap<String, &'static [&'static [usize]]>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(flatten)]
    case: Case,
    /// How often to run it.
    runs: usize,
}

#[derive(PartialEq, Deserialize)]
struct Case {
    /// Its name, and parameters that are not as by default.
    loss: String,
    shape: Vec<usize>,
    /// The storage type of floats.
    dtype: String,
}

/// Answers standard input until it ends.
pub fn serve(gpu: &Gpu) -> Result<(), Box<dyn Error>> {
    let shapes = Kind::value_variants().iter().map(|kind| (kind.to_string(), kind.shapes())).collect();
    print_line(&serde_json::to_string(&Greeting { report: Report::new(gpu, ClockKind::SubmitToDone), shapes })?)?;
    let mut server = Server { gpu, last: None };
    for line in io::stdin().lock().lines() {
        let answer = match server.answer(&line?) {
            Ok(times) => json!({ "times_ms": times }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        print_line(&answer.to_string())?;
    }
    Ok(())
}

fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

struct Server<'a> {
    gpu: &'a Gpu,
    /// The case of the last request: turns of one case come one after the other.
    last: Option<(Case, WglossStep)>,
}

impl Server<'_> {
    fn answer(&mut self, line: &str) -> Result<Vec<f64>, Box<dyn Error>> {
        let Request { case, runs } = serde_json::from_str(line)?;
        let step = match self.last.take() {
            Some((last, step)) if last == case => step,
            _ => self.step(&case)?,
        };
        let (_, step) = self.last.insert((case, step));
        Ok((0..runs).map(|_| step.time() * 1e3).collect())
    }

    fn step(&self, case: &Case) -> Result<WglossStep, Box<dyn Error>> {
        let dtype = DType::FLOATS.into_iter().find(|dtype| dtype.name() == case.dtype);
        let dtype = dtype.ok_or_else(|| format!("dtype is `{}`, not f32, f16 or bf16", case.dtype))?;
        let loss = find_loss(&case.loss)?;
        Ok(WglossStep::new(self.gpu, &loss, &inputs::draw(&loss, &case.shape, dtype)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_or_refused() {
        let gpu = Gpu::new_blocking().unwrap();
        let mut server = Server { gpu: &gpu, last: None };
        let request = |loss: &str, shape: &[usize], dtype: &str| {
            json!({ "loss": loss, "shape": shape, "dtype": dtype, "runs": 2 }).to_string()
        };
        for good in [
            request("huber delta=0.5", &[7], "f32"),
            request("cross_entropy", &[3, 4, 2], "bf16"),
            request("cross_entropy", &[7], "f32"),
            request("softmax", &[3, 4], "f16"),
            request("dice activation=softmax scope=class", &[2, 3, 4], "f32"),
            request("giou", &[2, 3, 4], "f32"),
        ] {
            assert_eq!(server.answer(&good).unwrap().len(), 2, "{good}");
        }
        for (bad, names) in [
            ("{}".to_string(), "missing"),
            ("no JSON".to_string(), "expected"),
            (request("hubert", &[7], "f32"), "hubert"),
            (request("huber delta=-1", &[7], "f32"), "delta"),
            (request("huber delta", &[7], "f32"), "delta"),
            (request("cross_entropy", &[7, 0], "f32"), "logits"),
            (request("dice", &[7], "f32"), "prediction"),
            (request("giou", &[7], "f32"), "prediction"),
            (request("mse", &[7], "i32"), "dtype"),
        ] {
            let error = server.answer(&bad).unwrap_err().to_string();
            assert!(error.contains(names), "{bad}: {error}");
        }
    }
}
