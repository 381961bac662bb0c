//! Losses of rows whose logits heads make of hidden states.

use super::{Call, Doubts, Evaluation, argmax, choices::ROUNDING, largest_finite, of_items};
use std::f64::consts::PI;

use crate::{
    DType, Error, Gradients, HostTensor, Named, Options, Signature,
    spec::{
        Cosine, DIVISOR, Driver, Head, Input, Kind, Linear, MASK, Margin, Reference, Shape, UPSTREAM, Value, Values,
    },
};

/// The logits of a head, one row behind the other: x = softcap·tanh(s/softcap)/T with s = scale·(h·W + b), or s/T
/// without a softcap.
#[derive(Default)]
struct Logits {
    /// As the head makes them, and as the loss sees them.
    made: Vec<f64>,
    seen: Vec<f64>,
    /// The derivative of each by h·W + b.
    slopes: Vec<f64>,
    /// Of cosines the row of the head that each is of, and the cosine.
    centers: Vec<(usize, f64)>,
    /// What the rounding of each is relative to, where it is exponentiated: the magnitudes of what it is the sum of.
    sizes: Vec<f64>,
}

/// A head's inputs.
struct Given {
    hidden: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    dimensions: usize,
    classes: usize,
}

impl Given {
    fn new(given: &Named<HostTensor<'_>>, head: &Head) -> Self {
        let values = |name: &str| given.get(name).map(HostTensor::to_f64);
        let shape = given.get(head.weight).map_or(&[][..], HostTensor::shape);
        let (classes, dimensions) = (shape[0], shape[1]);
        Given {
            hidden: values(head.hidden).unwrap_or_default(),
            weight: values(head.weight).unwrap_or_default(),
            bias: head.bias.and_then(values).unwrap_or_else(|| vec![0.0; classes]),
            dimensions,
            classes,
        }
    }

    fn rows(&self) -> usize {
        self.hidden.len() / self.dimensions
    }

    fn hidden(&self, row: usize) -> &[f64] {
        &self.hidden[row * self.dimensions..][..self.dimensions]
    }

    fn class(&self, class: usize) -> &[f64] {
        &self.weight[class * self.dimensions..][..self.dimensions]
    }

    fn logits(&self, values: &Values, temperature: f64) -> Logits {
        let (scale, softcap) = (values.number_or("logit_scale", 1.0), values.number_or("softcap", 0.0));
        let mut logits = Logits::default();
        for row in 0..self.rows() {
            for class in 0..self.classes {
                let terms = || self.hidden(row).iter().zip(self.class(class)).map(|(h, w)| h * w);
                let s = scale * (terms().sum::<f64>() + self.bias[class]);
                // A masked class stays so.
                let is_capped = softcap > 0.0 && s != f64::NEG_INFINITY;
                let (seen, slope) = match is_capped {
                    // 1 − tanh², of which nothing would be left far off.
                    true => (softcap * (s / softcap).tanh(), (s / softcap).cosh().powi(-2)),
                    false => (s, 1.0),
                };
                logits.made.push(s);
                logits.seen.push(seen / temperature);
                logits.slopes.push(slope * scale / temperature);
                let size = terms().map(f64::abs).sum::<f64>() + self.bias[class].abs();
                // A softcap's slope is an exponential too.
                let steepness = if is_capped { (slope / temperature).max(2.0 / softcap) } else { 1.0 / temperature };
                logits.sizes.push(size * scale * steepness);
            }
        }
        logits
    }
}

/// A row of unit length, and what it was multiplied with for that.
struct Unit {
    direction: Vec<f64>,
    inverse: f64,
    /// Whether it turns: not where it is so short that something else took the place of its length.
    turns: bool,
}

impl Unit {
    fn new(row: &[f64]) -> Self {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let inverse = length.max(1e-12).recip();
        Unit { direction: row.iter().map(|x| x * inverse).collect(), inverse, turns: length > 1e-12 }
    }

    /// What its row gets of the gradient of a cosine with another one, and the magnitude of its terms.
    fn pulled(&self, cosine: f64, other: &Unit) -> Vec<(f64, f64)> {
        let along = if self.turns { cosine } else { 0.0 };
        let pairs = other.direction.iter().zip(&self.direction);
        pairs.map(|(b, a)| (self.inverse * (b - along * a), self.inverse * (b.abs() + (cosine * a).abs()))).collect()
    }
}

/// What a margin makes of a target's cosine: with its first and its second derivative.
fn hardened(cosine: f64, margin: Margin, size: f64) -> [f64; 3] {
    let clamped = cosine.clamp(-1.0, 1.0);
    let angle = clamped.acos();
    match margin {
        Margin::None => [cosine, 1.0, 0.0],
        Margin::OfCosine => [cosine - size, 1.0, 0.0],
        Margin::OfAngle if angle <= PI - size => {
            let sine = angle.sin().max(1e-6);
            [(angle + size).cos(), (angle + size).sin() / sine, size.sin() / sine.powi(3)]
        }
        Margin::OfAngle => [cosine - size * size.sin(), 1.0, 0.0],
    }
}

impl Given {
    /// The logits of cosines, of which those of the targets have a margin.
    fn cosines(&self, values: &Values, of: &Cosine, units: &[Vec<Unit>; 2], targets: &[Option<usize>]) -> Logits {
        let scale = values.number("scale") * f64::from(of.factor);
        let size = values.number_or("margin", 0.0);
        let centers = of.centers as usize;
        let mut logits = Logits::default();
        for (row, target) in targets.iter().enumerate() {
            for class in 0..self.classes / centers {
                let products =
                    |center: usize| units[0][row].direction.iter().zip(&units[1][center].direction).map(|(a, b)| a * b);
                let cosine = |center: usize| products(center).sum::<f64>();
                let nearest = (class * centers..(class + 1) * centers)
                    .reduce(|best, center| {
                        let [own, other] = [cosine(best), cosine(center)];
                        // Of which it is not known is as near as any.
                        if !own.is_nan() && (other.is_nan() || other > own) { center } else { best }
                    })
                    .unwrap_or(0);
                let own = cosine(nearest);
                let margin = if *target == Some(class) { of.margin } else { Margin::None };
                let [value, slope, bend] = hardened(own, margin, size);
                let size = products(nearest).map(f64::abs).sum::<f64>();
                logits.made.push(scale * value);
                logits.seen.push(scale * value);
                logits.slopes.push(scale * slope);
                logits.centers.push((nearest, own));
                // An angle's slope is rounded as its cosine is.
                logits.sizes.push(size * (scale * slope.max(1.0)).max((bend / slope).abs()));
            }
        }
        logits
    }
}

/// The row loss of the logits, and by the chain rule the gradients of what they are made of.
pub(super) fn evaluate(call: &Call, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let Driver::Linear(linear) = call.values.spec().driver else {
        unreachable!("the reference of a linear loss belongs to its driver")
    };
    let Reference::Rows(loss) = linear.rows.reference else { unreachable!("a linear loss is of a row loss") };
    let is_own = |name: &str| linear.rows.params.iter().any(|param| param.name == name);
    let temperature = if is_own("temperature") { 1.0 } else { call.values.number_or("temperature", 1.0) };
    let heads: Vec<Given> = linear.heads.iter().map(|head| Given::new(given, head)).collect();
    let units = heads.first().filter(|_| linear.cosine.is_some()).map(|head| {
        let hidden = (0..head.rows()).map(|row| Unit::new(head.hidden(row))).collect();
        [hidden, (0..head.classes).map(|row| Unit::new(head.class(row))).collect()]
    });
    let targets: Vec<Option<usize>> = match given.get(linear.target) {
        Some(targets) => {
            targets.to_f64().into_iter().map(|target| (target >= 0.0).then_some(target as usize)).collect()
        }
        None => vec![None; call.signature.items as usize],
    };
    let logits_of = |head: &Given| match (&linear.cosine, &units) {
        (Some(cosine), Some(units)) => head.cosines(&call.values, cosine, units, &targets),
        _ => head.logits(&call.values, temperature),
    };
    let logits: Vec<Logits> = heads.iter().map(logits_of).collect();
    let of_rows = rows(call, linear, given, options, &logits)?;

    let found = of_items(&of_rows, loss, &Options { frozen: &[], ..*options })?;
    let counted = of_rows.counted()?;
    let is_counted = |row: usize| counted.binary_search(&row).is_ok();
    // Rows that do not count have no logits.
    let of_counted = |statistic: Vec<f64>| -> Vec<f64> {
        statistic.into_iter().enumerate().map(|(row, x)| if is_counted(row) { x } else { f64::NAN }).collect()
    };
    // Of what the head makes, of which a softcap leaves no difference where it is far off.
    let classes = call.signature.head_classes() as usize;
    let offsets = given.get("class_offset").map(HostTensor::to_f64);
    let with_offsets: Vec<f64> = match &offsets {
        Some(offsets) => logits[0].seen.iter().zip(offsets.iter().cycle()).map(|(x, offset)| x + offset).collect(),
        None => logits[0].made.clone(),
    };
    let predicted = |row: usize| argmax(&with_offsets[row * classes..][..classes]);
    let class_of = |row: usize| predicted(row).filter(|_| is_counted(row)).map_or(-1, |class| class as i32);
    let classes_predicted = (0..found.argmax.len()).map(class_of).collect();
    // Rounding decides between classes whose logits are nearly the same.
    let is_doubtful = |row: &usize| {
        let of_row = *row * classes..(*row + 1) * classes;
        let (made, sizes) = (&with_offsets[of_row.clone()], &logits[0].sizes[of_row]);
        let best = argmax(made).unwrap_or(0);
        let is_near = |class: usize| made[best] - made[class] <= ROUNDING * (sizes[best] + sizes[class]);
        (0..classes).any(|class| class != best && is_near(class))
    };
    let doubts = Doubts { predicted: counted.iter().copied().filter(is_doubtful).collect(), ..Doubts::default() };
    let is_correct = |row: &&usize| predicted(**row) == Some(of_rows.item(**row).class());
    let correct = found.correct.map(|_| counted.iter().filter(is_correct).count() as u64);
    let largest = logits.iter().flat_map(|logits| {
        counted.iter().map(move |row| largest_finite(logits.sizes[row * classes..][..classes].iter().copied()))
    });
    let condition = largest_finite(largest);
    let mut whole = Evaluation {
        gradients: call.no_gradients(options),
        gradient_magnitudes: Vec::new(),
        log_sum_exp: of_counted(found.log_sum_exp),
        entropy: of_counted(found.entropy),
        argmax: classes_predicted,
        correct,
        doubts,
        shape: call.signature.loss_type(options.reduction).shape,
        item_shape: call.signature.item_shape.clone(),
        condition,
        ..found
    };
    whole.gradient_magnitudes = whole.gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    if options.gradients == Gradients::Skip {
        return Ok(whole);
    }
    let centers = linear.centers() as usize;
    let (head, slopes) = (&heads[0], &logits[0].slopes);
    let [(_, of_logits), ..] = &found.gradients[..] else { return Ok(whole) };
    let of_row = &found.gradient_magnitudes[0];
    let names = linear.heads[0];
    for ((name, gradient), sizes) in whole.gradients.iter_mut().zip(&mut whole.gradient_magnitudes) {
        for &row in &counted {
            for class in 0..classes {
                let place = row * classes + class;
                let slope = slopes[place];
                // What no slope leads to is not reached, though it be infinite.
                let pull = if slope == 0.0 { 0.0 } else { of_logits[place] * slope };
                // Rounding errors of a logit's gradient are relative to the largest of its row, of which each class
                // has a part.
                let size = pull.abs() + of_row[place] * slope.abs() / (classes as f64).sqrt();
                let mut add_sized = |place: usize, (factor, factor_size): (f64, f64)| {
                    gradient[place] += pull * factor;
                    sizes[place] += if size.is_finite() { size * factor_size } else { 0.0 };
                };
                let dimensions = head.dimensions;
                if let Some([hidden, weight]) = &units {
                    let (center, cosine) = logits[0].centers[place];
                    let (own, other, at) = match *name == names.hidden {
                        true => (&hidden[row], &weight[center], row),
                        false => (&weight[center], &hidden[row], center),
                    };
                    let pulled = own.pulled(cosine, other);
                    pulled.iter().enumerate().for_each(|(d, &factor)| add_sized(at * dimensions + d, factor));
                    // A row that is not known is nearest to any centre.
                    if *name == names.weight && other.direction.iter().any(|x| x.is_nan()) {
                        let first = center / centers * centers;
                        let all = first * dimensions..(first + centers) * dimensions;
                        all.for_each(|place| add_sized(place, (f64::NAN, 0.0)));
                    }
                    continue;
                }
                let mut add = |place: usize, factor: f64| add_sized(place, (factor, factor.abs()));
                if *name == names.hidden {
                    let weights = head.class(class).iter().enumerate();
                    weights.for_each(|(d, &w)| add(row * dimensions + d, w));
                } else if *name == names.weight {
                    let hidden = head.hidden(row).iter().enumerate();
                    hidden.for_each(|(d, &h)| add(class * dimensions + d, h));
                } else if Some(*name) == names.bias {
                    add(class, 1.0);
                }
            }
        }
    }
    Ok(whole)
}

/// The call of the row loss, with its logits.
fn rows(
    call: &Call,
    linear: Linear,
    given: &Named<HostTensor<'_>>,
    options: &Options,
    logits: &[Logits],
) -> Result<Call, Error> {
    let items = call.signature.items as usize;
    let classes = call.signature.head_classes() as usize;
    let of = |name: &str, default: Value| match call.values.get(name) {
        // The logits have it.
        Some(_) if name == "softcap" => Value::Number(0.0),
        found => found.unwrap_or(default),
    };
    let params = linear.rows.params.iter().map(|param| of(param.name, param.default)).collect();
    let values = Values::new(linear.rows, params)?;
    let shift = if call.values.has("shift") { call.values.integer("shift") as usize } else { 0 };
    let sequence = call.signature.item_shape.last().copied().unwrap_or(1);
    let has_target = |row: usize| row % sequence + shift < sequence;
    let made = |input: &Input| ["logits", "teacher_logits"].iter().position(|name| *name == input.name);

    let mut tensors = Named::<HostTensor<'static>>::new();
    for input in linear.rows.inputs.iter().chain([&UPSTREAM, &DIVISOR]) {
        if made(input).is_some() {
            tensors = tensors
                .with(input.name, HostTensor::rounded(&vec![0.0; items * classes], DType::F32, [items, classes])?);
        }
        let Some(tensor) = linear.input_of(input).and_then(|name| given.get(name)) else { continue };
        let mut values = tensor.to_f64();
        if input.kind == Kind::Index {
            values = (0..items).map(|row| if has_target(row) { values[row + shift] } else { 0.0 }).collect();
        }
        let shape = match input.shape {
            Shape::Items => vec![items],
            Shape::OneOrItems if values.len() != 1 => vec![items],
            Shape::Rows => vec![items, classes],
            _ => tensor.shape().to_vec(),
        };
        let tensor = match tensor.dtype() {
            DType::I32 => {
                let bytes: Vec<u8> = values.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect();
                HostTensor::from_bytes(DType::I32, shape, bytes)?
            }
            dtype => HostTensor::rounded(&values, dtype, shape)?,
        };
        tensors = tensors.with(input.name, tensor);
    }
    let mask = given.get(MASK.name).map(HostTensor::to_f64);
    let kept: Vec<bool> =
        (0..items).map(|row| has_target(row) && mask.as_ref().is_none_or(|mask| mask[row] != 0.0)).collect();
    tensors = tensors.with(MASK.name, HostTensor::mask(&kept, [items])?);

    let options = Options { frozen: &[], ..*options };
    let mut call_of_rows = Call::of_values(values, &tensors, &options)?;
    call_of_rows.signature = Signature { batch: call.signature.batch, ..call_of_rows.signature };
    for (input, column) in
        linear.rows.inputs.iter().filter(|input| input.name != "weight").zip(&mut call_of_rows.inputs)
    {
        if let Some(head) = made(input) {
            column.values.clone_from(&logits[head].seen);
        }
    }
    Ok(call_of_rows)
}
