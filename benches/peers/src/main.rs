//! How long the losses of wgloss take beside those of other libraries, on the same machine and in turns.
//!
//! `make bench-peers` runs all of it; `README.md` says how to run parts, and what the figures mean.

mod burn_comparison;
mod burn_losses;
mod burn_step;
mod inputs;
mod serve;
mod step;
mod tables;
mod wgloss_step;

use std::{error::Error, fs, path::PathBuf};

use clap::{Parser, Subcommand};
use wgloss::{AnyLoss, Gpu, Loss, bench::Report, spec::Driver};

use crate::tables::Tables;

/// The elements of a batch, and many of them.
const ELEMENTWISE_SHAPES: &[&[usize]] = &[&[1024, 1000], &[4096, 1024]];
/// An ImageNet head with two sizes of batch, vocabularies of 32,000 and 128,000, few rows that are long, and a label
/// for each pixel.
const ROW_SHAPES: &[&[usize]] =
    &[&[1024, 1000], &[4096, 1000], &[512, 32_000], &[64, 128_000], &[8, 262_144], &[4, 21, 256, 256]];

/// All boxes of a detector for a batch of 64 images.
const BOX_SHAPES: &[&[usize]] = &[&[64, 8400, 4]];

/// Times wgloss beside other libraries.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Times wgloss and Burn in turns, and checks the results of both.
    Burn {
        /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`) [default: the most capable]
        #[arg(default_value = "", hide_default_value = true)]
        adapter: String,
        /// Where to write the results.
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
    },
    /// Times wgloss as asked on standard input, line by line in JSON: for programs that time other libraries.
    Serve {
        /// Part of an adapter's name, as for `burn`.
        #[arg(default_value = "", hide_default_value = true)]
        adapter: String,
    },
    /// Prints the results in a file as tables.
    Table {
        /// What `burn` or pytorch.py wrote.
        file: PathBuf,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Args::parse().command {
        Command::Burn { adapter, json } => burn_comparison::compare(&Gpu::find_blocking(&adapter)?, &json),
        Command::Serve { adapter } => serve::serve(&Gpu::find_blocking(&adapter)?),
        Command::Table { file } => {
            print!("{}", Tables(&Report::list_from_json(&fs::read_to_string(file)?)?));
            Ok(())
        }
    }
}

/// A loss by its name and the parameters that are not as by default: `cross_entropy label_smoothing=0.1`.
fn find_loss(text: &str) -> Result<AnyLoss, wgloss::Error> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let settings: Vec<(&str, &str)> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
    AnyLoss::new(name, &settings)
}

/// The shapes that a loss is timed at.
fn shapes_of(loss: &dyn Loss) -> &'static [&'static [usize]] {
    match loss.spec().driver {
        Driver::Elementwise => ELEMENTWISE_SHAPES,
        Driver::Rows(_) => ROW_SHAPES,
        Driver::Boxes => BOX_SHAPES,
    }
}
