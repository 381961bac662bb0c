//! The steps around the losses that a loss of sequences is made of.

use std::sync::Arc;

use super::{
    super::{
        gradient_name, gradient_view, input_view, is_ignored, is_kept,
        judge::{self, Judged},
    },
    Builder, LOG_PROB, OLD_LOG_PROB,
};
use crate::{
    Error, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Step},
    spec::{MASK, OFFSETS, ShaderFile, TOKEN_MASK, shader_file},
};

/// Pairs of tokens that a lane takes at least.
const LEAST_OF_LANE: u64 = 8;

/// A tensor that a kernel binds, and where it lies.
type Bound = (TensorView, Place);

impl Builder<'_> {
    fn sequences(&self) -> u64 {
        self.items * self.of.made.len() as u64
    }

    /// What the kernels of tokens have in common.
    fn words(&self) -> Block {
        block! {
            tokens: self.tokens as u32,
            sequences: self.sequences() as u32,
            items: self.items as u32,
            stride: self.stride as u32,
            averages: (self.of.averages)(self.call.values),
        }
    }

    /// A scratch of values of a WGSL type.
    fn memory(&self, name: &str, scratch: usize, ty: &'static str) -> Bound {
        (TensorView::new(name, Holds::Values(ty), Access::Write), self.program.whole(scratch))
    }

    /// An input of the call, if it is given, by the name that kernels have for it.
    fn input(&self, name: &str, view: &str) -> Option<Bound> {
        let ty = self.call.signature.input(name)?;
        let place = Place::Tensor(name.to_string(), 0..ty.buffer_size());
        Some((TensorView::read(format!("input_{view}"), ty.dtype), place))
    }

    fn offsets(&self) -> Option<Bound> {
        let (view, place) = self.input(OFFSETS.name, OFFSETS.name)?;
        Some((TensorView { name: OFFSETS.name.to_string(), ..view }, place))
    }

    /// What tells which tokens count: `is_kept`, `is_ignored` and `load_target`.
    fn counting(&self, glue: &mut Glue, views: &[TensorView]) {
        is_kept(glue, views, "index");
        is_ignored(glue, self.call.spec());
        glue.load("target", "i32", input_view(views, "target"), "index", "0");
    }

    fn step(
        &self,
        (entry, files): (&'static str, &[ShaderFile]),
        tuning: Tuning,
        words: Block,
        tensors: Vec<Bound>,
        glue: Glue,
        loops: Loops,
    ) -> Step {
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
        if self.call.values.has("ignore_index") {
            kernel = kernel.with_some_params(self.call.values, &["ignore_index"]);
        }
        kernel.flags(&[("HAS_TARGET", self.of.takes_logits)]);
        let (views, bound) = tensors.into_iter().unzip();
        kernel.tensors = views;
        kernel.glue = glue.0;
        kernel.join(files.iter().copied());
        Step { kernel: Arc::new(kernel), entry, call: words, params: None, bound, workgroups: [1, 1, 1], loops }
    }

    /// What the tokens of each sequence have together.
    pub fn sum_tokens(&mut self) -> Result<(), Error> {
        let what = format!("{}: a sequence of {} tokens", self.call.loss(), self.tokens);
        let loops = |tuning: Tuning| {
            Loops::blocks(self.tokens, tuning.workgroup_size.into(), Loops::NONE) + Loops::reduce(tuning) * 3
        };
        let tuning = self.call.machine.fitting(&what, self.tuning, loops)?;
        let most = u64::from(self.call.machine.limits.max_compute_workgroups_per_dimension);
        let across = self.sequences().min(most);
        let words = self.words().and(block! { classes: self.call.signature.classes() as u32, across: across as u32 });
        let log_prob = match self.of.takes_logits {
            true => Some(self.memory("input_log_prob", self.at.log_probs, "f32")),
            false => self.input(LOG_PROB, LOG_PROB),
        };
        let tensors = [self.offsets(), log_prob, self.input(OLD_LOG_PROB, OLD_LOG_PROB)].into_iter();
        let tensors = tensors.chain([self.input("target", "target"), self.input(TOKEN_MASK.name, MASK.name)]);
        let left = [
            self.memory("values", self.at.values, "f32"),
            self.memory("lengths", self.at.lengths, "f32"),
            self.memory("standing", self.at.standing, "u32"),
        ];
        let tensors: Vec<Bound> = tensors.flatten().chain(left).collect();
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        self.counting(&mut glue, &views);
        let log_prob = input_view(&views, LOG_PROB);
        let element = log_prob.map_or_else(|| "0.0".to_string(), |view| view.element("index"));
        glue.function("load_log_prob(index: u32) -> f32", &element);
        glue.load(OLD_LOG_PROB, "f32", input_view(&views, OLD_LOG_PROB), "index", "0.0");
        let files = [
            shader_file!("lib/domain.wgsl"),
            shader_file!("drivers/sequences/tokens.wgsl"),
            shader_file!("drivers/sequences/sum_tokens.wgsl"),
        ];
        let step = self.step(("sum_tokens", &files), tuning, words, tensors, glue, loops(tuning));
        let workgroups = [across as u32, self.sequences().div_ceil(across) as u32, 1];
        self.program.steps.push(Step { workgroups, ..step });
        Ok(())
    }

    /// Which items there are.
    pub fn judge(&mut self) -> Result<(), Error> {
        let items = Judged { items: self.items, slots: self.of.made.len() as u64, stride: self.stride };
        let left = [
            self.memory("standing", self.at.standing, "u32"),
            self.memory("kept", self.at.kept, "i32"),
            self.memory("judged", self.at.judged, "u32"),
        ];
        let step = judge::step(self.call, items, self.input(MASK.name, MASK.name), left)?;
        self.program.steps.push(step);
        Ok(())
    }

    /// What each token's log-probability is multiplied with: its gradient, or the upstream of its logits'.
    pub fn spread(&mut self) -> Result<(), Error> {
        let (machine, tuning) = (self.call.machine, self.tuning);
        let lanes = u64::from(tuning.workgroup_size);
        let pairs = self.tokens.div_ceil(2);
        let most = u64::from(machine.limits.max_compute_workgroups_per_dimension);
        let span = pairs.div_ceil(most).max(LEAST_OF_LANE * lanes);
        let loops = Loops::each(span.div_ceil(lanes), Loops::search(self.sequences()) * 2);
        let words = self.words().and(block! { span: span as u32 });
        let gradient = match self.of.takes_logits {
            true => self.memory("grad_log_prob", self.at.upstreams, "f32"),
            false => self.gradient_of_tokens(),
        };
        let tensors = [self.offsets(), self.input("target", "target"), self.input(TOKEN_MASK.name, MASK.name)];
        let left = [
            self.memory("slopes", self.at.slopes, "f32"),
            self.memory("lengths", self.at.lengths, "f32"),
            self.memory("kept", self.at.kept, "i32"),
            gradient,
        ];
        let counts = self.of.takes_logits.then(|| self.memory("token_counts", self.at.token_counts, "i32"));
        let tensors: Vec<Bound> = tensors.into_iter().flatten().chain(left).chain(counts).collect();
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        self.counting(&mut glue, &views);
        let adds = self.call.adds() && !self.of.takes_logits;
        let put = gradient_view(&views, LOG_PROB).map_or_else(String::new, |view| view.put("index", "value", adds));
        glue.procedure("put_slope(index: u32, value: f32)", &put);
        let put = if self.of.takes_logits { "token_counts[index] = value;" } else { "" };
        glue.procedure("put_counts(index: u32, value: i32)", put);
        let files = [shader_file!("drivers/sequences/tokens.wgsl"), shader_file!("drivers/sequences/spread.wgsl")];
        let step = self.step(("spread", &files), tuning, words, tensors, glue, loops);
        self.program.steps.push(Step { workgroups: [pairs.div_ceil(span) as u32, 1, 1], ..step });
        Ok(())
    }

    /// The gradient of the log-probabilities, in a tensor of its own or in theirs.
    fn gradient_of_tokens(&self) -> Bound {
        let ty = self.call.signature.inputs[0].1.clone();
        let name = if self.call.is_in_place() { LOG_PROB.to_string() } else { gradient_name(LOG_PROB) };
        let place = Place::Tensor(name, 0..ty.buffer_size());
        (TensorView::write(format!("grad_{LOG_PROB}"), ty.dtype), place)
    }
}
