//! Losses of sequences of tokens.

use super::{Call, Divisor, Evaluation, largest_finite, ln_softmax, multiclass::seen, weighed};
use crate::{
    Error, Gradients, HostTensor, Loss, Named, Options, Reduction, out_of_range,
    spec::{Column, Domain, Driver, Item, OFFSETS, Reference, Sequences, TOKEN_MASK, Term, Told, Values, WEIGHT},
};

/// The loss of items, of the sums or means over the tokens of their sequences, and its gradient by each token.
pub(super) fn evaluate(call: &Call, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let Driver::Sequences(of) = call.values.spec().driver else {
        unreachable!("the reference of sequences belongs to their driver")
    };
    let head = (of.head)(&call.values);
    let head_values = Values::new(head.spec(), head.values())?;
    let Reference::Elementwise(loss_of_item) = head.spec().reference else {
        return Err(Error::NoReference { loss: head.spec().name });
    };
    let tokens = Tokens::new(call, given);
    let sequences = Sequence::all(call, &of, given, &tokens);
    let items = call.signature.items as usize;
    let columns: Vec<Column> = head
        .spec()
        .inputs
        .iter()
        .filter(|input| input.name != WEIGHT.name)
        .map(|input| column(call, &of, input.name, input.domain.resolve(&head_values), &sequences, input.absent))
        .collect();
    let of_item = |item: usize| (0..of.made.len()).map(move |slot| slot * items + item);
    let is_fine = |item: usize| {
        let is_in_domain =
            |column: &Column| !column.is_given || column.part(item).iter().all(|&x| column.domain.contains(x, 1));
        of_item(item).all(|sequence| sequences[sequence].is_fine) && columns.iter().all(is_in_domain)
    };
    let kept: Vec<usize> = (0..items).filter(|&item| call.is_kept(item)).collect();
    let bad: Vec<usize> = kept.iter().copied().filter(|&item| !is_fine(item)).collect();
    if let Some(&first) = bad.first() {
        return Err(out_of_range::error(&call.values, &call.signature, bad.len() as u64, first as u64));
    }
    let divisor = Divisor::of_items(call, &kept, options);
    let scale = divisor.reciprocal();
    let mut whole = Evaluation { items: kept.len() as u64, ..Evaluation::nothing() };
    (whole.gradients, whole.loss_magnitudes) = (call.no_gradients(options), vec![0.0; items]);
    whole.gradient_magnitudes = whole.gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    let (mut losses, mut told) = (vec![0.0; items], vec![Told::NOTHING; items]);
    let has_gradients = options.gradients != Gradients::Skip;
    // By the log-probabilities, or by the logits.
    let values = tokens.values.len() * tokens.ln_p.first().map_or(1, Vec::len);
    let (mut gradient, mut magnitudes) = (vec![0.0; values], vec![0.0; values]);
    for &item in &kept {
        let sizes: Vec<f64> = of_item(item).map(|sequence| sequences[sequence].size).collect();
        let term = term(&columns, &of, call, item, &sizes, |item| loss_of_item(item, &head_values));
        let term = term.map(|x| call.weight.at(item) * x);
        (losses[item], told[item]) = (term.loss[0], term.told);
        whole.magnitude += term.magnitude.unwrap_or(0.0);
        whole.loss_magnitudes[item] = largest_finite(term.loss.iter().copied().chain(term.magnitude));
        let term = term.map(|x| scale * call.upstream(item) * options.gradient_scale() * x);
        for (slot, sequence) in of_item(item).enumerate() {
            let sequence = &sequences[sequence];
            let slope = term.gradients[slot] / sequence.parts;
            let size = largest_finite([slope, term.gradient_magnitudes[slot] / sequence.parts].into_iter());
            if has_gradients {
                tokens.pull(&sequence.tokens, slope, size, &mut gradient, &mut magnitudes);
            }
        }
    }
    whole.condition = tokens.head.as_ref().map_or(0.0, |head| head.condition(&call.values) / tokens.temperature);
    match &tokens.head {
        _ if !has_gradients => {}
        Some(head) => {
            for ((name, own), own_sizes) in whole.gradients.iter_mut().zip(&mut whole.gradient_magnitudes) {
                head.pull(name, &call.values, [&gradient, &magnitudes], [own, own_sizes]);
            }
        }
        None => {
            whole.gradients[0].1 = gradient;
            whole.gradient_magnitudes[0] = magnitudes;
        }
    }
    // `sum` of nothing is -0.
    let reduced = scale * losses.iter().fold(0.0, |sum, loss| sum + loss);
    whole.magnitude *= scale.abs();
    whole.shape = call.signature.loss_type(options.reduction).shape;
    whole.item_shape.clone_from(&call.signature.item_shape);
    whole.loss = if options.reduction == Reduction::None { losses } else { vec![reduced] };
    Ok(divisor.of_evaluation(whole.telling(&told, options.statistics), call, options))
}

/// A head over hidden states.
struct Head {
    hidden: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    dimensions: usize,
}

impl Head {
    fn of(given: &Named<HostTensor<'_>>) -> Self {
        let of = |name: &str| given.get(name).map_or_else(Vec::new, HostTensor::to_f64);
        let shape = given.get("weight").map_or(&[1, 1][..], HostTensor::shape);
        let bias = given.get("bias").map_or_else(|| vec![0.0; shape[0]], HostTensor::to_f64);
        Head { hidden: of("hidden"), weight: of("weight"), bias, dimensions: shape[1] }
    }

    /// scale·(h·W + b), with magnitudes or as it is.
    fn products(&self, values: &Values, size: fn(f64) -> f64) -> Vec<f64> {
        let scale = values.number_or("logit_scale", 1.0);
        let rows = self.hidden.chunks(self.dimensions);
        let of_row = |h: &[f64]| -> Vec<f64> {
            let classes = self.weight.chunks(self.dimensions).zip(&self.bias);
            let product = |w: &[f64]| h.iter().zip(w).map(|(h, w)| size(h * w)).sum::<f64>();
            classes.map(|(w, b)| scale * (product(w) + size(*b))).collect()
        };
        rows.flat_map(of_row).collect()
    }

    fn logits(&self, values: &Values) -> Vec<f64> {
        self.products(values, |x| x)
    }

    /// What is exponentiated is rounded as its terms are.
    fn condition(&self, values: &Values) -> f64 {
        largest_finite(self.products(values, f64::abs).into_iter())
    }

    /// The gradient of an input by that of the logits.
    fn pull(&self, name: &str, values: &Values, [of_logits, sizes]: [&[f64]; 2], own: [&mut Vec<f64>; 2]) {
        let (scale, classes, dimensions) = (values.number_or("logit_scale", 1.0), self.bias.len(), self.dimensions);
        let [gradient, magnitudes] = own;
        for (place, (&slope, &size)) in of_logits.iter().zip(sizes).enumerate() {
            let (row, class) = (place / classes, place % classes);
            let mut add = |at: usize, factor: f64| {
                gradient[at] += scale * slope * factor;
                magnitudes[at] += scale * (slope.abs() + size.abs() / (classes as f64).sqrt()) * factor.abs();
            };
            match name {
                "hidden" => {
                    (0..dimensions).for_each(|d| add(row * dimensions + d, self.weight[class * dimensions + d]))
                }
                "weight" => {
                    (0..dimensions).for_each(|d| add(class * dimensions + d, self.hidden[row * dimensions + d]))
                }
                _ => add(class, 1.0),
            }
        }
    }
}

/// The tokens of a call.
struct Tokens {
    /// Of logits the logarithms of all probabilities of each.
    ln_p: Vec<Vec<f64>>,
    target: Vec<f64>,
    /// log p, less that of an old policy.
    values: Vec<f64>,
    /// What the rounding errors of these are relative to.
    sizes: Vec<f64>,
    counts: Vec<bool>,
    is_fine: Vec<bool>,
    temperature: f64,
    /// What makes the logits, where they are not given.
    head: Option<Head>,
}

impl Tokens {
    fn new(call: &Call, given: &Named<HostTensor<'_>>) -> Self {
        let values = &call.values;
        let of = |name: &str| given.get(name).map(HostTensor::to_f64);
        let count = call.signature.tokens as usize;
        let target = of("target").unwrap_or_else(|| vec![0.0; count]);
        let classes = call.signature.classes() as usize;
        let head = given.get("hidden").map(|_| Head::of(given));
        let is_ignored = |y: f64| values.has("ignore_index") && y == f64::from(values.integer("ignore_index"));
        let mask = of(TOKEN_MASK.name).unwrap_or_else(|| vec![1.0; count]);
        let counts: Vec<bool> = (0..count).map(|token| mask[token] != 0.0 && !is_ignored(target[token])).collect();
        let ln_p: Vec<Vec<f64>> = match of("logits") {
            Some(logits) => logits.chunks(classes).map(|row| ln_softmax(&seen(row, values))).collect(),
            None => match &head {
                Some(head) => head.logits(values).chunks(classes).map(|row| ln_softmax(&seen(row, values))).collect(),
                None => Vec::new(),
            },
        };
        let of_target = |token: usize| ln_p[token].get(target[token] as usize).copied().unwrap_or(0.0);
        let log_prob = of("log_prob").unwrap_or_else(|| (0..count).map(of_target).collect());
        let old = of("old_log_prob").unwrap_or_else(|| vec![0.0; count]);
        let is_class = |y: f64| ln_p.is_empty() || (0.0..classes as f64).contains(&y);
        let is_log_prob = |x: f64| Domain::LogProbability.contains(x, 1);
        Tokens {
            values: log_prob.iter().zip(&old).map(|(own, old)| own - old).collect(),
            sizes: log_prob.iter().zip(&old).map(|(own, old)| own.abs() + old.abs()).collect(),
            is_fine: (0..count)
                .map(|t| is_class(target[t]) && is_log_prob(log_prob[t]) && is_log_prob(old[t]))
                .collect(),
            temperature: values.number_or("temperature", 1.0),
            head,
            ln_p,
            target,
            counts,
        }
    }

    /// Adds what a slope of the log-probabilities of tokens is to the gradient, and its magnitude.
    fn pull(&self, tokens: &[usize], slope: f64, size: f64, gradient: &mut [f64], sizes: &mut [f64]) {
        for &token in tokens {
            let Some(ln_p) = self.ln_p.get(token) else {
                (gradient[token], sizes[token]) = (slope, size);
                continue;
            };
            let own = self.target[token] as usize;
            // p − 1 of the target by expm1: a sure one keeps its digits.
            let share = |class: usize| if class == own { -ln_p[class].exp_m1() } else { -ln_p[class].exp() };
            let largest = -ln_p[own].exp_m1();
            for class in 0..ln_p.len() {
                let place = token * ln_p.len() + class;
                gradient[place] = if slope.is_nan() { slope } else { weighed(share(class), slope) / self.temperature };
                sizes[place] = size * largest / self.temperature;
            }
        }
    }
}

/// What the tokens of a sequence have together.
struct Sequence {
    /// Those that count.
    tokens: Vec<usize>,
    value: f64,
    /// What the rounding errors of this are relative to.
    size: f64,
    /// What the value is divided by.
    parts: f64,
    is_fine: bool,
}

impl Sequence {
    fn all(call: &Call, of: &Sequences, given: &Named<HostTensor<'_>>, tokens: &Tokens) -> Vec<Self> {
        let offsets = given.get(OFFSETS.name).map_or_else(Vec::new, HostTensor::to_f64);
        let (count, last) = (tokens.values.len() as f64, offsets.len().saturating_sub(2));
        let averages = (of.averages)(&call.values);
        let sequence = |(number, ends): (usize, &[f64])| {
            let [first, end] = [ends[0], ends[1]];
            let fits = 0.0 <= first
                && first <= end
                && end <= count
                && (number > 0 || first == 0.0)
                && (number < last || end == count);
            let all = if fits { first as usize..end as usize } else { 0..0 };
            let own: Vec<usize> = all.filter(|&token| tokens.counts[token]).collect();
            let parts = if averages { (own.len() as f64).max(1.0) } else { 1.0 };
            Sequence {
                value: own.iter().map(|&token| tokens.values[token]).fold(0.0, |sum, x| sum + x) / parts,
                size: own.iter().map(|&token| tokens.sizes[token]).sum::<f64>() / parts,
                is_fine: fits && own.iter().all(|&token| tokens.is_fine[token]),
                tokens: own,
                parts,
            }
        };
        offsets.windows(2).enumerate().map(sequence).collect()
    }
}

/// An input of the loss of items.
fn column(
    call: &Call,
    of: &Sequences,
    name: &'static str,
    domain: Domain,
    sequences: &[Sequence],
    absent: f32,
) -> Column {
    let items = call.signature.items as usize;
    let made = |names: &[&str], value: &dyn Fn(&Sequence) -> f64| {
        let slot = names.iter().position(|known| *known == name)?;
        Some(sequences.iter().skip(slot * items).take(items).map(value).collect::<Vec<f64>>())
    };
    let values = made(of.made, &|sequence| sequence.value)
        .or_else(|| made((of.lengths)(&call.values), &|sequence| sequence.tokens.len() as f64));
    let given = call.inputs.iter().find(|column| column.name == name);
    let is_given = values.is_some() || given.is_some_and(|column| column.is_given);
    let values = values.or_else(|| given.map(|column| column.values.clone())).unwrap_or_else(|| vec![absent.into()]);
    Column { name, domain, is_given, width: 1, values }
}

/// Loss and gradients of an item by what its sequences have, each of which is rounded as its tokens' sum is.
fn term(
    columns: &[Column],
    of: &Sequences,
    call: &Call,
    index: usize,
    sizes: &[f64],
    loss: impl Fn(&Item<'_>) -> Term,
) -> Term {
    const STEP: f64 = 1.0 / (1 << 20) as f64;
    let at = |moved: Option<usize>| {
        let inputs: Vec<Column> = columns
            .iter()
            .map(|column| {
                let slot = of.made.iter().position(|name| *name == column.name);
                let step = if slot.is_some() && slot == moved { STEP * sizes[slot.unwrap_or(0)] } else { 0.0 };
                let values = vec![column.at(index) + step];
                Column { name: column.name, domain: column.domain, is_given: column.is_given, width: 1, values }
            })
            .collect();
        loss(&Item { inputs: &inputs, upstream: &call.upstream, index: 0 })
    };
    // An infinite loss stays as it is.
    let change = |moved: f64, at: f64| if moved == at { 0.0 } else { (moved - at).abs() / STEP };
    let mut term = at(None);
    let made = of.made.len();
    term.gradient_magnitudes.resize(made, 0.0);
    let mut magnitude = term.magnitude.unwrap_or(term.loss[0].abs());
    for slot in (0..made).filter(|&slot| sizes[slot].is_finite() && sizes[slot] > 0.0) {
        let moved = at(Some(slot));
        magnitude += change(moved.loss[0], term.loss[0]);
        for (size, (moved, at)) in term.gradient_magnitudes.iter_mut().zip(moved.gradients.iter().zip(&term.gradients))
        {
            *size += change(*moved, *at);
        }
    }
    // A ratio is rounded as what the tokens have together is.
    let clip_margin = term.told.clip_margin / (1.0 + sizes[0]);
    let is_spoilt = columns.iter().any(|column| column.at(index).is_nan());
    let told = if is_spoilt { Told::UNKNOWN } else { Told { clip_margin, ..term.told } };
    let is_lost = is_spoilt || term.loss[0].is_nan();
    let term = term.of_magnitude(magnitude).telling(told);
    if is_lost { term.map(|_| f64::NAN) } else { term }
}
