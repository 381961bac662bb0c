//! In place of the comparison with Burn, where this program is built without that.

use std::error::Error;

/// What the comparison takes, unread.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _unread: Vec<String>,
}

/// Says what is missing.
pub fn run(_: &Args) -> Result<(), Box<dyn Error>> {
    Err("this program was built without Burn; its default features have it".into())
}
