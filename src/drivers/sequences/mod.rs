//! Losses of sequences of tokens: what the log-probabilities of a sequence's tokens have together is an input of an
//! elementwise loss, whose gradient goes back to each token. The log-probabilities are given, or those of the targets
//! of logits, which a row loss makes before and differentiates behind.

mod steps;

use std::ops::Range;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{Call, Extent, Room, Statistic, inner::Inner, judge, needs::Need, own_statistics};
use crate::{
    DType, Error, Gradients, Named, Options, Reduction, TensorType, Tuning,
    losses::{LinearTokenLogProb, TokenLogProb},
    program::{Place, Program, Scratch, Step},
    spec::{DIVISOR, Driver, LossSpec, MASK, OFFSETS, Sequences, UPSTREAM, Values, WEIGHT},
};

/// The first input where log-probabilities are given, and the one that is subtracted from them.
const LOG_PROB: &str = "log_prob";
const OLD_LOG_PROB: &str = "old_log_prob";

impl Room for Sequences {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        match *shape {
            [tokens] if !self.takes_logits => Ok(Extent::of_items(vec![usual_items(tokens)], 1)),
            [tokens, classes] if self.takes_logits && classes > 0 => {
                Ok(Extent::of_items(vec![usual_items(tokens)], classes))
            }
            _ if self.takes_logits => Err("[T, V] with V ≥ 1".to_string()),
            _ => Err("[T]".to_string()),
        }
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[B]", "[1] or [B]"]
    }

    fn needs(&self) -> Vec<Need> {
        let what = "`driver` is of inputs that the loss of items has, first of `logits`, with a `target`, or of \
            `log_prob`, and `inputs` has `OFFSETS`";
        vec![Need {
            what,
            is_met: |spec| match spec.driver {
                Driver::Sequences(sequences) => {
                    let first = match (sequences.takes_hidden, sequences.takes_logits) {
                        (true, _) => "hidden",
                        (false, true) => "logits",
                        (false, false) => LOG_PROB,
                    };
                    spec.inputs[0].name == first
                        && spec.input(OFFSETS.name).is_some()
                        && (spec.input("target").is_some() == sequences.takes_logits)
                        && matches!(sequences.made.len(), 1 | 2)
                }
                _ => false,
            },
        }]
    }

    /// Those of the loss of items, whose hooks it has.
    fn statistics(&self, spec: &LossSpec) -> Vec<Statistic> {
        own_statistics(spec).collect()
    }

    fn freezes(&self) -> bool {
        self.takes_hidden
    }

    fn items_of(&self, given: &Named<TensorType>) -> Option<usize> {
        let offsets = given.get(OFFSETS.name)?;
        Some((offsets.elements() as usize).saturating_sub(1) / self.made.len())
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        Builder::new(call, self)?.program()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let all: Vec<Vec<usize>> = [1, 2, 3, 5, w - 1, w + 1, 4 * w + 3, 70 * w + 1].map(|tokens| vec![tokens]).into();
        let of = |shape: &[usize]| if self.takes_logits { [shape, &[7]].concat() } else { shape.to_vec() };
        let shapes: Vec<Vec<usize>> = all.iter().map(|shape| of(shape)).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        vec![trials.arrangement(&of(&[37]), &shapes, &[&of(&[100_003])])]
    }
}

/// How many items so many tokens are taken for where nothing else is said.
fn usual_items(tokens: usize) -> usize {
    tokens.div_ceil(8)
}

/// The program of a call while it is built.
struct Builder<'a> {
    call: &'a Call<'a>,
    of: &'a Sequences,
    tuning: Tuning,
    tokens: u64,
    items: u64,
    /// From the values of one slot to those of the next, in elements.
    stride: u64,
    program: Program,
    at: Places,
}

/// Scratch by its number in the program.
#[derive(Clone, Copy, Default)]
struct Places {
    /// Of each sequence: what its tokens have together, how many there are, how it stands, and its gradient.
    values: usize,
    lengths: usize,
    standing: usize,
    slopes: usize,
    /// Of each item whether it is there; and how many are not as they should be.
    kept: usize,
    judged: usize,
    /// Of each token of logits: its log-probability, and what that is multiplied with in the gradients.
    log_probs: usize,
    upstreams: usize,
    /// And whether it counts.
    token_counts: usize,
}

impl<'a> Builder<'a> {
    fn new(call: &'a Call<'a>, of: &'a Sequences) -> Result<Self, Error> {
        let tokens = call.signature.inputs[0].1.shape[0] as u64;
        let items = call.signature.items;
        if items == 0 && tokens > 0 {
            let expected = format!("[{}·B + 1] with B ≥ 1 for {tokens} tokens", of.made.len());
            let found = call.signature.input(OFFSETS.name).map_or_else(Vec::new, |ty| ty.shape.clone());
            return Err(Error::Shape { loss: call.loss(), tensor: OFFSETS.name, expected, found });
        }
        let stride = items.next_multiple_of(call.machine.aligned_elements()).max(1);
        let tuning = call.machine.tuning;
        Ok(Builder {
            call,
            of,
            tuning,
            tokens,
            items,
            stride,
            program: Program::new(Vec::new()),
            at: Places::default(),
        })
    }

    fn program(mut self) -> Result<Program, Error> {
        let (head, mut of_items) = self.head()?;
        self.program.report = std::mem::take(&mut of_items.report);
        self.program.scratch = std::mem::take(&mut of_items.scratch);
        let slots = DType::F32.buffer_size(self.stride * self.of.made.len() as u64);
        let of_tokens = DType::F32.size_in_quads(self.tokens.max(1));
        let [items, logits] = [DType::F32.size_in_quads(self.items.max(1)), self.of.takes_logits.into()];
        self.at = Places {
            values: self.scratch("what sequences have", slots),
            lengths: self.scratch("the lengths of sequences", slots),
            standing: self.scratch("how sequences stand", slots),
            slopes: self.scratch("the gradients of sequences", slots),
            kept: self.scratch("which items are there", items),
            judged: self.scratch("the items out of range", 2 * DType::F32.size() as u64),
            log_probs: self.scratch("the log-probabilities of tokens", of_tokens * logits),
            upstreams: self.scratch("the upstreams of tokens", of_tokens * logits),
            token_counts: self.scratch("which tokens count", of_tokens * logits),
        };
        let token_log_prob = self.of.takes_logits.then(|| self.token_log_prob()).transpose()?;
        if self.items == 0 {
            self.add(&head, of_items, false);
            // What no token leads to has a gradient of 0 all the same.
            if let Some(row) = token_log_prob.filter(|_| self.of.takes_hidden && self.call.has_gradients()) {
                let program = row.program(self.call, self.call.options.gradients, true)?;
                self.add(&row, program, true);
            }
            return Ok(self.program);
        }
        if let Some(row) = &token_log_prob {
            let program = row.program(self.call, Gradients::Skip, false)?;
            self.add(row, program, true);
        }
        self.sum_tokens()?;
        self.judge()?;
        self.add(&head, of_items, false);
        self.program.steps.push(judge::tell(self.call, &self.program, self.at.judged));
        if self.call.has_gradients() {
            self.spread()?;
            if let Some(row) = &token_log_prob {
                let gradients = match self.call.options.gradients {
                    // Its weight is in the upstreams.
                    Gradients::Add { .. } => Gradients::Add { weight: 1.0 },
                    gradients => gradients,
                };
                let program = row.program(self.call, gradients, true)?;
                self.add(row, program, true);
            }
        }
        Ok(self.program)
    }

    fn scratch(&mut self, label: &'static str, size: u64) -> usize {
        // What has no use is of one value.
        self.program.scratch.push(Scratch { label, size: size.max(4) });
        self.program.scratch.len() - 1
    }

    /// The loss of items, and its program.
    fn head(&self) -> Result<(Inner, Program), Error> {
        let (whole, options) = (self.call.signature, self.call.options);
        let loss = (self.of.head)(self.call.values);
        let gradients = if self.call.has_gradients() { Gradients::Write } else { Gradients::Skip };
        let upstream = options.gradient_scale() as f32;
        let options = Options { gradients, upstream, frozen: &[], ..*options };
        let own = |dtype| TensorType::new(dtype, [self.items as usize]);
        let lengths = (self.of.lengths)(self.call.values);
        let inputs = loss.spec().inputs.iter().chain([&MASK, &UPSTREAM, &DIVISOR]);
        let types = inputs.filter_map(|input| {
            let is_own = self.of.made.contains(&input.name) || lengths.contains(&input.name);
            let ty = match input.name {
                name if name == MASK.name => Some(own(DType::I32)),
                _ if is_own => Some(own(DType::F32)),
                name if name == WEIGHT.name => whole.input(self.call.spec().item_weight()).cloned(),
                name => whole.input(name).cloned(),
            };
            Some((input.name.to_string(), ty?))
        });
        let inner = Inner::new(&*loss, types.collect(), options)?;
        let program = inner.run(self.call)?;
        Ok((inner, program))
    }

    /// The row loss that gives the log-probabilities of tokens by their logits.
    fn token_log_prob(&self) -> Result<Inner, Error> {
        let values = self.call.values;
        let temperature = values.number_or("temperature", 1.0) as f32;
        let ignore_index = if values.has("ignore_index") { values.integer("ignore_index") } else { -100 };
        let Options { panel_bytes, frozen, .. } = *self.call.options;
        let options = Options { panel_bytes, frozen, ..Options::new(Reduction::None) };
        let types = |names: &[&'static str]| {
            let of = |name: &&'static str| Some((name.to_string(), self.call.signature.input(name)?.clone()));
            names.iter().filter_map(of).collect::<Named<TensorType>>()
        };
        if self.of.takes_hidden {
            let logit_scale = values.number_or("logit_scale", 1.0) as f32;
            let loss = LinearTokenLogProb { temperature, ignore_index, logit_scale, shift: 0 };
            return Inner::new(&loss, types(&["hidden", "weight", "bias", "target"]), options);
        }
        Inner::new(&TokenLogProb { temperature, ignore_index }, types(&["logits", "target"]), options)
    }

    /// Adds the steps of an inner loss, of tokens or of items, with its tensors where they lie.
    fn add(&mut self, inner: &Inner, program: Program, is_of_tokens: bool) {
        let first = self.program.scratch.len();
        self.program.scratch.extend(program.scratch);
        let (at, lengths) = (self.at, (self.of.lengths)(self.call.values));
        let slot = |name: &str, names: &[&str]| names.iter().position(|known| *known == name);
        let size = DType::F32.buffer_size(self.stride);
        let in_slot = |scratch: usize, slot: usize, range: Range<u64>| {
            Place::Scratch(scratch, range.start + size * slot as u64..range.end + size * slot as u64)
        };
        let moved = |place: Place| match place {
            // The workspace of items is that of the whole.
            Place::Scratch(index, range) => Place::Scratch(if is_of_tokens { first + index } else { index }, range),
            Place::Tensor(name, range) if is_of_tokens => match &*name {
                "loss" => Place::Scratch(at.log_probs, range),
                name if name == UPSTREAM.name => Place::Scratch(at.upstreams, range),
                name if name == MASK.name => Place::Scratch(at.token_counts, range),
                _ => Place::Tensor(name, range),
            },
            Place::Tensor(name, range) => {
                let made = slot(&name, self.of.made).map(|slot| (at.values, slot));
                let gradient = name.strip_prefix("grad.").and_then(|name| slot(name, self.of.made));
                let length = slot(&name, lengths).map(|slot| (at.lengths, slot));
                match made.or(gradient.map(|slot| (at.slopes, slot))).or(length) {
                    Some((scratch, slot)) => in_slot(scratch, slot, range),
                    None if name == MASK.name => Place::Scratch(at.kept, range),
                    // A head has the name that weights of items have elsewhere.
                    None if name == WEIGHT.name => Place::Tensor(self.call.spec().item_weight().to_string(), range),
                    None => Place::Tensor(name, range),
                }
            }
        };
        let steps: Vec<Step> = inner.steps(program.steps, moved).collect();
        self.program.steps.extend(steps);
    }
}
