//! What kinds of values tensors have.

use bytemuck::{Pod, Zeroable};

use super::{
    rules::Rules,
    walk::{Part, Pass, PassValues, Walk, Work},
};
use crate::{
    Error, Named, TensorType,
    gpu::Loops,
    kernel::{Access, Holds, TensorView, block},
    program::{Place, Program, Scratch, WORKSPACE},
    spec::shader_file,
};

/// Counts the NaN, infinite, zero and negative values of tensors, and finds their extremes, mean and norm.
///
/// ```
/// use wgloss::{Gpu, HostTensor, Named, ops::{Diagnose, Operation}};
/// let gpu = Gpu::new_blocking()?;
/// let tensors = Named::<HostTensor>::new().with("logits", &[3.0_f32, -4.0, f32::NAN, 0.0]);
/// let found = Diagnose.eval(&gpu, &tensors)?.report;
/// let logits = found.get("logits").unwrap();
/// assert_eq!((logits.nan, logits.zero, logits.negative), (1, 1, 1));
/// assert_eq!((logits.min, logits.max, logits.norm), (Some(-4.0), Some(3.0), 5.0));
/// println!("{logits}");
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnose;

/// What kinds of values a tensor has.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// All values.
    pub elements: u64,
    /// Those that are NaN.
    pub nan: u64,
    /// Those that are +∞ or −∞.
    pub infinite: u64,
    /// Those that are 0 or −0.
    pub zero: u64,
    /// Those below 0, −∞ included.
    pub negative: u64,
    /// The least finite value; `None` where there is none.
    pub min: Option<f64>,
    /// The largest finite value.
    pub max: Option<f64>,
    /// The mean of the finite values.
    pub mean: Option<f64>,
    /// The Euclidean norm of the finite values.
    pub norm: f64,
}

impl Diagnosis {
    /// How many values are finite.
    pub fn finite(&self) -> u64 {
        self.elements - self.nan - self.infinite
    }
}

impl std::fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Diagnosis { elements, nan, infinite, zero, negative, norm, .. } = self;
        write!(f, "{elements} values: {nan} NaN, {infinite} infinite, {zero} zero, {negative} negative")?;
        if let (Some(min), Some(max), Some(mean)) = (self.min, self.max, self.mean) {
            write!(f, "; from {min:?} to {max:?}, mean {mean:?}, norm {norm:?}")?;
        }
        Ok(())
    }
}

/// One workgroup's share, as `shaders/ops/diagnose.wgsl` has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Tally {
    pub nan: u32,
    pub infinite: u32,
    pub zero: u32,
    pub negative: u32,
    pub least: f32,
    pub largest: f32,
    pub sum: f32,
    pub scaled_sum: f32,
    pub low: f32,
    pub middle: f32,
    pub high: f32,
}

/// By which powers of two the sums of a tally are too large: `scaled_sum`, `low` and `high`.
const SCALED_SUM: f64 = 1.0 / (1_u64 << 40) as f64;
const LOW_EXPONENT: i32 = 90;
const HIGH_EXPONENT: i32 = -70;

impl Tally {
    const SIZE: u64 = size_of::<Self>() as u64;

    fn sum(&self) -> f64 {
        if self.sum.is_finite() { self.sum.into() } else { f64::from(self.scaled_sum) / SCALED_SUM }
    }

    fn squares(&self) -> f64 {
        let unscaled = |sum: f32, exponent: i32| f64::from(sum) * 2_f64.powi(-2 * exponent);
        unscaled(self.low, LOW_EXPONENT) + f64::from(self.middle) + unscaled(self.high, HIGH_EXPONENT)
    }
}

impl Rules for Diagnose {
    const NAME: &'static str = "diagnose";
    type Report = Named<Diagnosis>;

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn writes(_: &str) -> bool {
        false
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let tuning = walk.machine.tuning;
        // A block may be walked over twice.
        let loops =
            |span| Loops::blocks(span, tuning.workgroup_size.into(), Loops::NONE) * 2 + Loops::reduce(tuning) * 11;
        let parts = walk.parts(loops)?;
        let size = u64::from(parts.partials) * Tally::SIZE;
        let mut program = Program::new(vec![Scratch { label: "the tallies", size }]);
        let pass = Pass {
            entry: "tally",
            values: PassValues::Read,
            memory: &[(
                TensorView::new("tallies", Holds::Values("Tally"), Access::Write),
                Place::Scratch(WORKSPACE, 0..size),
            )],
            files: &[
                shader_file!("ops/bits.wgsl"),
                shader_file!("ops/squares.wgsl"),
                shader_file!("ops/scaled_squares.wgsl"),
                shader_file!("ops/diagnose.wgsl"),
            ],
        };
        let words =
            |part: &Part| block! { length: part.chunk.items, span: part.span, first_partial: part.first_partial };
        program.steps = walk.steps(&parts, pass, words, loops);
        Ok(Work { program, first_partials: parts.first_partials, told: size })
    }

    fn report(
        bytes: &[u8],
        tensors: &[(String, TensorType)],
        first_partials: &[u32],
    ) -> Result<Named<Diagnosis>, Error> {
        let tallies: Vec<Tally> = bytemuck::pod_collect_to_vec(bytes);
        let ends = first_partials.iter().skip(1).map(|&first| first as usize).chain([tallies.len()]);
        let of = |(((name, ty), &first), end): ((&(String, TensorType), &u32), usize)| {
            (name.clone(), joined(ty.elements(), tallies.get(first as usize..end).unwrap_or_default()))
        };
        Ok(tensors.iter().zip(first_partials).zip(ends).map(of).collect())
    }
}

/// The diagnosis of so many values from the workgroups' shares.
fn joined(elements: u64, tallies: &[Tally]) -> Diagnosis {
    let count = |of: fn(&Tally) -> u32| tallies.iter().map(|tally| u64::from(of(tally))).sum::<u64>();
    let mut found = Diagnosis {
        elements,
        nan: count(|tally| tally.nan),
        infinite: count(|tally| tally.infinite),
        zero: count(|tally| tally.zero),
        negative: count(|tally| tally.negative),
        // The sum of nothing is −0.
        norm: tallies.iter().map(Tally::squares).sum::<f64>().sqrt().abs(),
        ..Diagnosis::default()
    };
    let finite = elements.saturating_sub(found.nan + found.infinite);
    if finite > 0 {
        found.min = tallies.iter().map(|tally| f64::from(tally.least)).reduce(f64::min);
        found.max = tallies.iter().map(|tally| f64::from(tally.largest)).reduce(f64::max);
        found.mean = Some(tallies.iter().map(Tally::sum).sum::<f64>() / finite as f64);
    }
    found
}
