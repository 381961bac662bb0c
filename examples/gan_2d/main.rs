//! Plays four games of a generator against a discriminator or critic, to learn a ring of eight small clouds of points.
//! Every step's losses with their gradients by the scores, and the gradient penalty with its gradient by the gradient
//! that it is of, come from fused GPU kernels; the networks are plain Rust.
//!
//! ```sh
//! cargo run --release --example gan_2d -- --game wgan-gp --steps 5000
//! ```
//!
//! A generator is judged by how many of the clouds, the modes, its points cover, by how many of its points are within
//! three standard deviations of one, and by their distance from points of the ring. With `--lambda 0` there is no
//! penalty, and `gan`, `lsgan` and `hinge` miss some modes.

#[path = "../common/mod.rs"]
mod common;
mod game;
mod panels;
mod ring;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, builder::PossibleValuesParser, value_parser};
use fastrand::Rng;
use wgloss::Gpu;

use common::{
    arguments::{Common, not_negative},
    program::{exit, progress, write},
};
use game::{Game, Losses, Penalty, Players, Rules};
use panels::Panel;
use ring::{Likeness, MODES};

/// The games to compare.
static GAMES: [Rules; 4] = [
    Rules {
        name: "gan",
        critic: "gan_discriminator",
        generator: "gan_generator",
        penalty: Penalty::AtReal,
        critic_steps: 1,
    },
    Rules {
        name: "lsgan",
        critic: "lsgan_discriminator",
        generator: "lsgan_generator",
        penalty: Penalty::AtReal,
        critic_steps: 1,
    },
    Rules {
        name: "hinge",
        critic: "hinge_gan_discriminator",
        generator: "hinge_gan_generator",
        penalty: Penalty::AtReal,
        critic_steps: 1,
    },
    Rules {
        name: "wgan-gp",
        critic: "wgan_critic",
        generator: "wgan_generator",
        penalty: Penalty::Between,
        critic_steps: 2,
    },
];

/// Points that a game is judged by, and those of them in the picture.
const JUDGED: usize = 2000;
const SHOWN: usize = 400;

/// Learns a distribution of points by games of your choice.
#[derive(Parser)]
struct Args {
    /// A game; may be repeated
    #[arg(
        long = "game",
        default_values = GAMES.each_ref().map(|rules| rules.name),
        value_parser = PossibleValuesParser::new(GAMES.each_ref().map(|rules| rules.name)),
    )]
    games: Vec<String>,
    /// Steps of the generator
    #[arg(long, default_value_t = 3000, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// The weight of the gradient penalty of the discriminator or critic; 0 is without
    #[arg(long, default_value = "0.1", value_parser = not_negative)]
    lambda: f32,
    #[command(flatten)]
    common: Common,
    /// Where the samples go, as a picture
    #[arg(long, default_value = "target/demo/gan_2d.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let gpu = args.common.gpu()?;
    let data = ring::draw(JUDGED, &mut rng);

    println!("{} steps on {}\n", args.steps, gpu.adapter_id());
    println!("{:12}{:>14}{:>16}{:>12}{:>16}", "", "modes covered", "near a mode", "distance", "training time");
    print_row("data", &Likeness::of(&ring::draw(JUDGED, &mut rng), &data), None);
    let players = Players::new(&mut rng);
    print_row("untrained", &Likeness::of(&players.samples(JUDGED, &mut rng.clone()), &data), None);
    let mut panels = Vec::new();
    for rules in GAMES.iter().filter(|rules| args.games.iter().any(|chosen| chosen == rules.name)) {
        let start = Instant::now();
        // Every game starts from the same weights and points.
        let mut rng = rng.clone();
        let players = play(args, rules, &gpu, players.clone(), &mut rng)?;
        let seconds = start.elapsed().as_secs_f64();
        let samples = players.samples(JUDGED, &mut rng);
        let likeness = Likeness::of(&samples, &data);
        print_row(rules.name, &likeness, Some(seconds));
        panels.push(Panel {
            title: rules.name,
            note: format!("{} of {MODES} modes, {:.0} % near one", likeness.covered, 100.0 * likeness.near),
            points: samples[..SHOWN * ring::DIMENSIONS].to_vec(),
        });
    }
    write(&args.output, &panels::draw(&data[..SHOWN * ring::DIMENSIONS], &panels))?;
    println!("\nsamples in {}", args.output.display());
    Ok(())
}

fn print_row(name: &str, likeness: &Likeness, seconds: Option<f64>) {
    let Likeness { covered, near, distance } = likeness;
    println!(
        "{name:12}{:>14}{:>14.1} %{distance:>12.3}{:>16}",
        format!("{covered} of {MODES}"),
        100.0 * near,
        seconds.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default()
    );
}

/// Plays a game; gives the players as they are then.
fn play(
    args: &Args,
    rules: &'static Rules,
    gpu: &Gpu,
    players: Players,
    rng: &mut Rng,
) -> Result<Players, Box<dyn Error>> {
    let mut game = Game::new(rules, args.lambda, gpu, players)?;
    let progress = progress(args.steps, "step");
    for step in 0..args.steps {
        let Losses { critic, generator } = game.step((args.steps - step) as f32 / args.steps as f32, rng)?;
        if !(critic.is_finite() && generator.is_finite()) {
            let (name, step) = (rules.name, step + 1);
            return Err(format!("the losses of {name} became {critic} and {generator} in step {step}").into());
        }
        progress.set_message(format!("critic {critic:.3}  generator {generator:.3}"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(game.players)
}
