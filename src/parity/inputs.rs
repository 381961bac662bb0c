//! The inputs that a case draws, and what they should give.

use super::{cases::Case, masked::poisoned, plain, run::GARBAGE, situations::Drawing, stored::of_values};
use crate::{
    DType, Error, Gpu, Gradients, HostTensor, Named, Signature,
    draw::{
        Regime, draw, draw_batch, draw_boxes, draw_distinct_classes, draw_labels, draw_offsets, draw_pairs, draw_top_k,
    },
    reference,
    spec::{Domain, Driver, Input, Kind, LossSpec, Reference, Shape, Value, Values},
};

/// What a case is run with, and what it should give.
pub(super) struct Drawn {
    pub inputs: Named<HostTensor<'static>>,
    pub expected: reference::Evaluation,
}

/// How often inputs are drawn before a case is taken in which rounding decides what the loss chooses: what either
/// choice gives is right then, and less is checked.
const DRAWS: u64 = 20;

impl Case {
    /// Inputs of this case with the reference's evaluation of them.
    pub fn drawn(&self, gpu: &Gpu, spec: &'static LossSpec, seed: u64) -> Result<Drawn, Error> {
        let mut draws = 0;
        loop {
            let inputs = self.inputs(spec, seed + (draws << 32))?;
            let expected = self.expected(gpu, spec, &inputs)?;
            draws += 1;
            if draws == DRAWS || expected.doubts.is_none() && !has_rounding_alone(&expected) {
                return Ok(Drawn { inputs, expected });
            }
        }
    }

    /// Inputs drawn from their domains, and rounded to storage.
    fn inputs(&self, spec: &'static LossSpec, seed: u64) -> Result<Named<HostTensor<'static>>, Error> {
        let values = self.values(spec)?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut signature = Signature::of_shape(&values, &self.layout.shape)?;
        let mut drawing = Drawing::new(self.situation, &values, &signature, self.choice.dtype, &mut rng);
        let mut inputs = Named::<HostTensor<'static>>::new();
        let layers = if spec.inputs.iter().any(|input| input.per_layer) { self.layout.layers } else { 0 };
        for (number, input) in spec.inputs_with_layers(layers).enumerate() {
            let given = match input.name {
                name if name == spec.item_weight() => self.choice.weighted,
                "mask" => self.choice.masked,
                "upstream" => self.choice.results.has_upstream(),
                "divisor" => self.has_divisor,
                _ => !input.optional || self.choice.optional,
            };
            if !given {
                continue;
            }
            let input = input.as_indices.filter(|_| self.choice.indices).unwrap_or(input);
            let shape = match input.shape {
                Shape::OneOrItems if self.shares_upstream => vec![1],
                Shape::Items | Shape::OneOrItems => self.layout.shape_of(number, signature.shape_of(input)),
                // Of another length than the first input.
                Shape::Own | Shape::OwnRows if number > 0 => {
                    signature.item_shape.iter().map(|length| length + number).collect()
                }
                Shape::Layers => vec![layers],
                Shape::OwnOfBatch => {
                    let (batch, rest) = signature.item_shape.split_at(1);
                    [batch, &rest.iter().map(|length| length + 1).collect::<Vec<_>>()].concat()
                }
                Shape::Head(_) if signature.inputs.is_empty() => {
                    let (least, centers) = match spec.driver {
                        Driver::Linear(linear) => (linear.least_classes(&values), linear.centers() as usize),
                        _ => (1, 1),
                    };
                    // One class, few, and as many as two workgroups may have.
                    let classes = [7, least, 130, 33][signature.items as usize % 4];
                    vec![classes * centers, signature.row as usize]
                }
                Shape::Hidden if number > 0 => [&signature.item_shape[..], &[signature.row as usize + number]].concat(),
                // One class, few, more than a workgroup may have lanes, and all.
                Shape::ItemRows if signature.inputs.is_empty() => {
                    let classes = signature.row as usize;
                    let given =
                        [3, 1, 20, classes, classes.div_ceil(2)][(signature.items + signature.row) as usize % 5];
                    vec![signature.items as usize, given.min(classes)]
                }
                Shape::Like(other) => inputs.get(other).map_or_else(Vec::new, |other| other.shape().to_vec()),
                _ => signature.shape_of(input),
            };
            let host = if input.kind == Kind::Index {
                let mut labels = labels(input, &values, &signature, &shape, &mut rng);
                drawing.adapt_labels(input, &mut labels, &mut rng);
                of_values(&labels.into_iter().map(f64::from).collect::<Vec<_>>(), DType::I32, &shape)?
            } else {
                // What is optional knows nothing of the predictions, but for other policies' log-probabilities.
                // Those of a head's logits are not known here.
                let is_of_policy =
                    input.domain == Domain::LogProbability && input.shape != Shape::ItemRows && !spec.has_head();
                let has_logits = matches!(spec.inputs[0].shape, Shape::Rows | Shape::TokenRows);
                let mut drawn = match inputs.get("target").filter(|_| is_of_policy && has_logits) {
                    Some(target) => log_probs(&drawing, target, &values, &mut rng),
                    None => {
                        let knows = is_of_policy || !input.optional && !spec.has_head();
                        let first = if knows { drawing.first() } else { Vec::new() };
                        self.floats(input, &values, &shape, &first, &mut rng)
                    }
                };
                drawing.adapt(input, &mut drawn, &mut rng);
                let takes_indices = matches!(input.kind, Kind::Label | Kind::Mask);
                let dtype = if takes_indices && self.choice.indices { DType::I32 } else { self.choice.dtype };
                of_values(&drawn, dtype, &shape)?
            };
            drawing.is_drawn(&host);
            if matches!(input.shape, Shape::Head(_) | Shape::Hidden | Shape::ItemRows) && number > 0 {
                signature.inputs.push((input, host.ty().clone()));
            }
            inputs = inputs.with(input.name, host);
        }
        Ok(match inputs.get("mask").map(HostTensor::to_f64) {
            // A value that serves several items may be that of one that is kept.
            Some(mask) if self.layout.broadcast.is_empty() => poisoned(&inputs, &values, &signature, &mask)?,
            _ => inputs,
        })
    }

    /// Values of an input, some of them related to the first input's.
    fn floats(
        &self,
        input: &Input,
        values: &Values,
        shape: &[usize],
        first: &[f64],
        rng: &mut fastrand::Rng,
    ) -> Vec<f64> {
        let length: usize = shape.iter().product();
        let domain = input.domain.resolve(values);
        let is_of_policies = input.shape == Shape::Rows && values.spec().own_values().next().is_some();
        // Nor next to what a low temperature makes of one.
        let seen = values.number_or("temperature", 1.0).min(1.0);
        let regime = match self.regime {
            _ if self.situation.is_some() => Regime::Small,
            // Only logits are shifted: what comes after them knows nothing of it.
            Regime::Shifted if input.shape != Shape::Rows => Regime::Small,
            // No storage has another policy's log-probability next to one of thousands.
            _ if values.spec().has_head() && values.spec().inputs.iter().any(is_log_probability) => Regime::Small,
            Regime::Large if matches!(input.shape, Shape::TokenRows | Shape::ItemRows) => Regime::Medium,
            Regime::Large if is_of_policies => Regime::Medium,
            regime => regime,
        };
        match input.shape {
            Shape::Boxes => draw_boxes(regime, length / 4, first, rng),
            Shape::Embeddings if values.spec().all_pairs().is_some() => {
                draw_batch(regime, values, [shape[0], shape[1]], first, rng)
            }
            Shape::Embeddings => draw_pairs(domain, regime, (length, shape.last().copied().unwrap_or(1)), first, rng),
            // Logits are as large as hidden states.
            Shape::Head(_) => {
                let scale = 1.0 / (shape[1] as f64).sqrt();
                (0..length).map(|_| scale * draw(domain, Regime::Small, None, rng)).collect()
            }
            Shape::ItemRows => draw_top_k(regime, shape[0], shape[1], rng),
            // The logarithm of what similarities are multiplied with.
            Shape::Scalar => vec![draw(domain, Regime::Small, None, rng)],
            // So that 1 − p of a sure token is a normal number: what adapters make of others is their own.
            Shape::TokenRows => (0..length).map(|_| 0.4 * seen * draw(domain, regime, None, rng)).collect(),
            Shape::Rows if is_of_policies => (0..length).map(|_| seen * draw(domain, regime, None, rng)).collect(),
            _ => (0..length).map(|i| draw(domain, regime, first.get(i).copied(), rng)).collect(),
        }
    }

    fn expected(
        &self,
        gpu: &Gpu,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<reference::Evaluation, Error> {
        let (loss, options) = (self.loss(spec)?, self.options());
        let mut expected = match spec.reference {
            Reference::None => plain::expected(gpu, &loss, inputs, &options)?,
            _ => reference::evaluate(&loss, inputs, &options)?,
        };
        if let Gradients::Add { .. } = self.choice.gradients {
            expected.gradients.iter_mut().for_each(|(_, gradient)| gradient.iter_mut().for_each(|x| *x += GARBAGE));
            expected.gradient_magnitudes.iter_mut().flatten().for_each(|x| *x += GARBAGE);
        }
        Ok(expected)
    }
}

fn is_log_probability(input: &Input) -> bool {
    input.domain == Domain::LogProbability
}

/// Classes, some of them the ignored one, or the labels of a batch.
fn labels(input: &Input, values: &Values, signature: &Signature, shape: &[usize], rng: &mut fastrand::Rng) -> Vec<i32> {
    let length: usize = shape.iter().product();
    if input.domain == Domain::Label {
        let labels = rng.usize(2 + length / 16..=2 + length / 4);
        return draw_labels(length, labels, rng);
    }
    if input.domain == Domain::DistinctClasses {
        return draw_distinct_classes(shape[0], [shape[1], signature.row as usize], rng);
    }
    if input.domain == Domain::Offsets {
        return draw_offsets(length - 1, signature.tokens as usize, rng);
    }
    let ignored = values.iter().find(|(param, _)| param.name == "ignore_index").map(|(_, value)| value);
    let class = |rng: &mut fastrand::Rng| match ignored {
        Some(Value::Integer(index)) if rng.u8(..8) == 0 => index,
        _ => rng.i32(0..signature.classes() as i32),
    };
    (0..length).map(|_| class(rng)).collect()
}

/// What another policy gives the targets of rows of logits, which are the first input: the same, nearly so, or some
/// powers of e more or less, so that no ratio of both is beyond f32.
fn log_probs(drawing: &Drawing<'_>, target: &HostTensor<'_>, values: &Values, rng: &mut fastrand::Rng) -> Vec<f64> {
    let log_prob = |(item, class): (usize, f64)| {
        let ln_p = reference::ln_softmax(&reference::seen(&drawing.row(item), values));
        // Of an ignored row, of a masked class or of one that is NaN it is of no account.
        let own = ln_p.get(class as usize).copied().filter(|x| x.is_finite()).unwrap_or(-1.0);
        let noise = 2.0 * rng.f64() - 1.0;
        match rng.u8(..4) {
            0 => own,
            1 => own * (1.0 + 1e-2 * noise),
            _ => (own + 3.0 * noise).min(0.0),
        }
    };
    target.to_f64().into_iter().enumerate().map(log_prob).collect()
}

/// Whether a mean distance is but the rounding of the reference, as 1 − cos is of rows that are alike.
fn has_rounding_alone(expected: &reference::Evaluation) -> bool {
    let distances = expected.mining.map(|mining| [mining.positive_distance, mining.negative_distance]);
    distances.into_iter().flatten().any(|distance| distance != 0.0 && distance.abs() < 1e-12)
}
