//! How long the losses of wgloss take beside those of other libraries, on the same adapter.
//!
//! `make bench-peers`, or `cargo run --release -- [ADAPTER] [--json FILE]` in this directory. A time is the median over
//! runs of a loss with its gradient in f32, reduced to the mean, from the host's first call until the device is done.
//! Results are compared with the reference in f64 before: one of Burn's that is wrong is marked, one of wgloss's fails.

mod cross_entropy;
mod libraries;
mod step;

use std::{error::Error, fs, path::PathBuf};

use burn::tensor::Device;
use clap::Parser;
use serde_json::json;
use wgloss::Gpu;

use crate::step::{Case, Outcome};

/// The losses that are compared, each with its case by shape and the shapes.
const LOSSES: [(&str, CaseOf, &[&[usize]]); 1] = [(
    "cross_entropy",
    cross_entropy::case,
    &[&[4096, 1000], &[512, 32000], &[64, 128_000], &[8, 262_144], &[4, 21, 256, 256]],
)];

type CaseOf = fn(&Gpu, &Device, &[usize]) -> Result<Case, wgloss::Error>;

/// Times wgloss beside Burn.
#[derive(Debug, Parser)]
struct Args {
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`) [default: the most capable adapter]
    #[arg(default_value = "", hide_default_value = true)]
    adapter: String,
    /// Where to write the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let gpu = Gpu::find_blocking(&args.adapter)?;
    let device = libraries::open_burn(&gpu)?;

    println!("{:<30} {:>10} {:>10} {:>9}", "f32, mean, with gradient", "wgloss ms", "Burn ms", "ratio");
    let mut results = Vec::new();
    let mut is_right = true;
    for (loss, case_of, shapes) in LOSSES {
        for shape in shapes {
            let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
            let name = format!("{loss} {}", sizes.join("×"));
            let Outcome { wgloss, peer, wgloss_error, peer_error } = case_of(&gpu, &device, shape)?.run();
            let (ours, theirs) = (wgloss.as_secs_f64() * 1e3, peer.as_secs_f64() * 1e3);
            let ratio = theirs / ours;
            println!("{name:<30} {ours:>10.2} {theirs:>10.2} {ratio:>8.2}×");
            for (library, error) in [("wgloss", &wgloss_error), ("Burn", &peer_error)] {
                if !error.is_rounding() {
                    println!("  {library}'s result is wrong: off by {error}");
                }
            }
            is_right &= wgloss_error.is_rounding();
            results.push(json!({
                "peer": format!("burn {} {}", locked_version("burn"), if cfg!(feature = "vulkan") { "vulkan" } else { "wgpu" }),
                "loss": loss,
                "shape": shape,
                "dtype": "f32",
                "median_ms": theirs,
                "wgloss_median_ms": ours,
                "ratio": ratio,
                "peer_is_right": peer_error.is_rounding(),
            }));
        }
    }

    if let Some(path) = args.json {
        let info = gpu.info();
        let report = json!({
            "version": 1,
            "adapter": gpu.adapter_id(),
            "driver": format!("{} {}", info.driver, info.driver_info),
            "wgloss": locked_version("wgloss"),
            "results": results,
        });
        fs::write(path, format!("{report:#}\n"))?;
    }
    if is_right { Ok(()) } else { Err("results of wgloss are wrong".into()) }
}

/// The version of a package that this program was built with.
fn locked_version(package: &str) -> &'static str {
    let (_, entry) = include_str!("../Cargo.lock")
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .expect("Cargo locks every dependency");
    entry.split('"').next().expect("a version is quoted")
}
