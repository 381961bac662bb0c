//! `wgloss plot`: pictures of losses, drawn from what an adapter's kernels compute.

mod axis;
mod contour;
mod curves;
mod landscape;
mod picture;
mod surface;
mod svg;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use indicatif::ProgressBar;
use serde_json::{Value as Json, json};
use wgloss::Gpu;

use self::picture::{Content, Panel, Picture};
use crate::{error::CliError, output, select};

const EXAMPLE: &str = "\
Examples:
  wgloss plot pictures                                all of them
  wgloss plot pictures --only focal --only boxes      two of them
  wgloss plot pictures --json                         with the numbers of every curve";

/// What to draw.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The directory to write the SVG files to; it is made where there is none.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// A picture to draw in place of all; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<Name>,
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`)
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    #[command(flatten)]
    pub format: output::Format,
}

/// The pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Name {
    /// Regression losses against the error
    Regression,
    /// Gradients of regression losses against the error
    Gradients,
    /// The focal loss against the probability of the target, for several γ
    Focal,
    /// Binary cross-entropy and its gradient against the logit
    Bce,
    /// Contrastive and triplet losses against distances
    Distances,
    /// Losses of regions against what is missed and what is too much
    Regions,
    /// Losses of boxes against the shift of a box
    Boxes,
    /// Cross-entropy with label smoothing against the logit of the target
    LabelSmoothing,
    /// Rosenbrock's function and the loss of a classifier over two parameters, as surfaces and contours
    Landscape,
}

impl Name {
    fn draw(self, gpu: &Gpu, bar: &ProgressBar) -> Result<Picture, CliError> {
        match self {
            Name::Regression => Ok(curves::regression(gpu)?),
            Name::Gradients => Ok(curves::gradients(gpu)?),
            Name::Focal => Ok(curves::focal(gpu)?),
            Name::Bce => Ok(curves::bce(gpu)?),
            Name::Distances => Ok(curves::distances(gpu)?),
            Name::Regions => Ok(curves::regions(gpu)?),
            Name::Boxes => Ok(curves::boxes(gpu)?),
            Name::LabelSmoothing => Ok(curves::label_smoothing(gpu)?),
            Name::Landscape => landscape::landscape(gpu, bar),
        }
    }

    /// The name on the command line and of the file.
    fn text(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }

    fn path(self, directory: &Path) -> PathBuf {
        directory.join(self.text()).with_extension("svg")
    }
}

/// A picture and the file that it was written to.
struct Written {
    name: Name,
    path: PathBuf,
    picture: Picture,
}

/// Draws the pictures and writes them.
pub fn run(args: &Args, as_json: bool) -> Result<(), CliError> {
    let is_asked = |name: &Name| args.only.is_empty() || args.only.contains(name);
    let names: Vec<Name> = Name::value_variants().iter().copied().filter(is_asked).collect();
    let directory = &args.directory;
    if directory.exists() && !directory.is_dir() {
        return Err(CliError::NotADirectory { path: directory.clone() });
    }
    let gpu = select::open(&select::adapter(args.adapter.as_deref().unwrap_or_default())?)?;
    fs::create_dir_all(directory).map_err(|source| CliError::WriteText { path: directory.clone(), source })?;
    names.iter().try_for_each(|name| output::check_writable(&name.path(directory)))?;

    let bar = output::progress(gpu.adapter_id());
    bar.set_length(names.len() as u64);
    let draw = |&name: &Name| {
        bar.set_message(name.text());
        let (picture, path) = (name.draw(&gpu, &bar)?, name.path(directory));
        output::write(&path, &picture.svg())?;
        bar.inc(1);
        Ok(Written { name, path, picture })
    };
    let written = names.iter().map(draw).collect::<Result<Vec<_>, CliError>>();
    bar.finish_and_clear();
    let written = written?;
    if as_json {
        let pictures: Vec<Json> = written.iter().map(Written::json).collect();
        output::print_json(&json!({ "adapter": gpu.adapter_id(), "pictures": pictures }))
    } else {
        let mut table = output::table(["picture", "shows", "file"]);
        for Written { name, path, picture } in &written {
            table.add_row([name.text(), picture.title.to_string(), path.display().to_string()]);
        }
        output::print(format_args!("{}\n{table}", gpu.adapter_id()))
    }
}

impl Written {
    fn json(&self) -> Json {
        let panels: Vec<Json> = self.picture.panels.iter().map(panel_json).collect();
        json!({
            "name": self.name.text(),
            "title": self.picture.title,
            "file": self.path.display().to_string(),
            "panels": panels,
        })
    }
}

/// A panel with the numbers that are drawn in it.
fn panel_json(panel: &Panel) -> Json {
    let numbers = |values: &[f64]| values.iter().map(|&x| output::json_number(x)).collect::<Vec<_>>();
    let mut described = json!({ "title": panel.title, "x": panel.x.label, "y": panel.y.label });
    match &panel.content {
        Content::Curves(curves) => {
            let curve = |curve: &picture::Curve| {
                let (x, y): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
                json!({ "label": curve.label, "x": numbers(&x), "y": numbers(&y) })
            };
            described["curves"] = curves.iter().map(curve).collect();
        }
        Content::Contours(field) | Content::Surface(field) => {
            described["field"] = json!({
                "x": numbers(&panel.x.samples(field.samples)),
                "y": numbers(&panel.y.samples(field.samples)),
                "values": field.values.chunks(field.samples).map(numbers).collect::<Vec<_>>(),
            });
        }
    }
    described
}
