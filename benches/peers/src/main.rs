//! How long the losses of wgloss take beside those of other libraries, on the same machine and in turns.
//!
//! `make bench-peers` runs all of it; `README.md` says how to run parts, and what the figures mean.

#[cfg(feature = "burn")]
mod by_burn;
#[cfg(not(feature = "burn"))]
#[path = "without_burn.rs"]
mod by_burn;
mod inputs;
mod kinds;
mod serve;
mod step;
mod tables;
mod wgloss_step;

use std::{error::Error, fs, path::PathBuf};

use clap::{Parser, Subcommand};
use wgloss::{AnyLoss, Gpu, bench::Report};

use crate::tables::Tables;

/// Times wgloss beside other libraries.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Times wgloss and Burn in turns, and checks the results of both.
    Burn(by_burn::Args),
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
        Command::Burn(args) => by_burn::run(&args),
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
