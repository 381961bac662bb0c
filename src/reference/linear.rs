//! Losses of rows whose logits heads make of hidden states.

use super::{Call, Evaluation, argmax, largest_finite, of_items};
use crate::{
    DType, Error, Gradients, HostTensor, Named, Options, Signature,
    spec::{Driver, Head, Input, Kind, Linear, MASK, Reference, Shape, UPSTREAM, Value, Values},
};

/// The logits of a head, one row behind the other: x = softcap·tanh(s/softcap)/T with s = scale·(h·W + b), or s/T
/// without a softcap.
struct Logits {
    /// As the head makes them, and as the loss sees them.
    made: Vec<f64>,
    seen: Vec<f64>,
    /// The derivative of each by h·W + b.
    slopes: Vec<f64>,
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
            bias: values(head.bias).unwrap_or_else(|| vec![0.0; classes]),
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
        let mut logits = Logits { made: Vec::new(), seen: Vec::new(), slopes: Vec::new(), sizes: Vec::new() };
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

/// The row loss of the logits, and by the chain rule the gradients of what they are made of.
pub(super) fn evaluate(call: &Call, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let Driver::Linear(linear) = call.values.spec().driver else {
        unreachable!("the reference of a linear loss belongs to its driver")
    };
    let Reference::Rows(loss) = linear.rows.reference else { unreachable!("a linear loss is of a row loss") };
    let is_own = |name: &str| linear.rows.params.iter().any(|param| param.name == name);
    let temperature = if is_own("temperature") { 1.0 } else { call.values.number_or("temperature", 1.0) };
    let heads: Vec<Given> = linear.heads.iter().map(|head| Given::new(given, head)).collect();
    let logits: Vec<Logits> = heads.iter().map(|head| head.logits(&call.values, temperature)).collect();
    let of_rows = rows(call, linear, given, options, &logits)?;

    let found = of_items(&of_rows, loss, &Options { frozen: &[], ..*options })?;
    let counted = of_rows.counted()?;
    let is_counted = |row: usize| counted.binary_search(&row).is_ok();
    // Rows that do not count have no logits.
    let of_counted = |statistic: Vec<f64>| -> Vec<f64> {
        statistic.into_iter().enumerate().map(|(row, x)| if is_counted(row) { x } else { f64::NAN }).collect()
    };
    // Of what the head makes, of which a softcap leaves no difference where it is far off.
    let classes = heads[0].classes;
    let predicted = |row: usize| argmax(&logits[0].made[row * classes..][..classes]);
    let class_of = |row: usize| predicted(row).filter(|_| is_counted(row)).map_or(-1, |class| class as i32);
    let classes_predicted = (0..found.argmax.len()).map(class_of).collect();
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
        shape: call.signature.loss_type(options.reduction).shape,
        condition,
        ..found
    };
    whole.gradient_magnitudes = whole.gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    if options.gradients == Gradients::Skip {
        return Ok(whole);
    }
    let (head, slopes) = (&heads[0], &logits[0].slopes);
    let [(_, of_logits), ..] = &found.gradients[..] else { return Ok(whole) };
    let of_row = &found.gradient_magnitudes[0];
    let names = linear.heads[0];
    for ((name, gradient), sizes) in whole.gradients.iter_mut().zip(&mut whole.gradient_magnitudes) {
        for &row in &counted {
            for class in 0..head.classes {
                let place = row * head.classes + class;
                let slope = slopes[place];
                // What no slope leads to is not reached, though it be infinite.
                let pull = if slope == 0.0 { 0.0 } else { of_logits[place] * slope };
                // Rounding errors of a logit's gradient are relative to the largest of its row, of which each class
                // has a part.
                let size = pull.abs() + of_row[place] * slope.abs() / (head.classes as f64).sqrt();
                let mut add = |place: usize, factor: f64| {
                    gradient[place] += pull * factor;
                    sizes[place] += if size.is_finite() { (size * factor).abs() } else { 0.0 };
                };
                let dimensions = head.dimensions;
                if *name == names.hidden {
                    let weights = head.class(class).iter().enumerate();
                    weights.for_each(|(d, &w)| add(row * dimensions + d, w));
                } else if *name == names.weight {
                    let hidden = head.hidden(row).iter().enumerate();
                    hidden.for_each(|(d, &h)| add(class * dimensions + d, h));
                } else if *name == names.bias {
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
    for input in linear.rows.inputs.iter().chain([&UPSTREAM]) {
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
