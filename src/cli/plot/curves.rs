//! Pictures of losses against one number. Every curve is one run of the loss's kernel.

use wgloss::{AnyLoss, Error, Evaluation, Gpu, HostTensor, Loss, Named, Reduction};

use super::{
    axis::Axis,
    picture::{Content, Curve, Panel, Picture},
};

/// Samples of a curve: a multiple of what makes kinks at whole and half numbers fall on one.
const SAMPLES: usize = 401;

/// A loss and its parameters other than their defaults.
type Choice = (&'static str, &'static [(&'static str, &'static str)]);

/// Every loss that is a function of the error alone.
const OF_ERROR: [Choice; 7] = [
    ("mse", &[]),
    ("mae", &[]),
    ("huber", &[("delta", "1")]),
    ("smooth_l1", &[("beta", "0.5")]),
    ("log_cosh", &[]),
    ("quantile", &[("quantile", "0.75")]),
    ("asymmetric_mse", &[("over_penalty", "2")]),
];

const ERROR: &str = "error = prediction − target, in units of the target";

pub fn regression(gpu: &Gpu) -> Result<Picture, Error> {
    let y = Axis::new("loss", 0.0, 6.0);
    Ok(Picture {
        title: "Regression losses",
        about: "The loss of one element against its error: a square, or a line, by which outliers rule less.",
        panels: vec![of_error(gpu, "how much an error costs", y, losses)?],
    })
}

pub fn gradients(gpu: &Gpu) -> Result<Picture, Error> {
    let y = Axis::new("gradient by the prediction", -4.0, 4.0);
    Ok(Picture {
        title: "Gradients of regression losses",
        about: "The gradient by the prediction against the error: how hard an error of that size pulls.",
        panels: vec![of_error(gpu, "how hard an error pulls", y, |evaluation| gradient(evaluation, "prediction"))?],
    })
}

/// The losses of an error, or their gradients.
fn of_error(gpu: &Gpu, title: &str, y: Axis, values: fn(&Evaluation) -> Vec<f64>) -> Result<Panel, Error> {
    let x = Axis::new(ERROR, -4.0, 4.0);
    let errors = x.samples(SAMPLES);
    let (prediction, target) = (floats(&errors), vec![0.0_f32; errors.len()]);
    let inputs = Named::<HostTensor>::new().with("prediction", &prediction).with("target", &target);
    let curve = |(name, settings): &Choice| {
        let loss = AnyLoss::new(name, settings)?;
        let settings = settings.iter().map(|(key, value)| format!(" {key}={value}"));
        let label = settings.fold(name.to_string(), |label, setting| label + &setting);
        Ok(curve(label, &errors, values(&evaluate(gpu, &loss, &inputs)?)))
    };
    let curves = OF_ERROR.iter().map(curve).collect::<Result<_, Error>>()?;
    Ok(Panel { title: title.to_string(), x, y, content: Content::Curves(curves) })
}

pub fn focal(gpu: &Gpu) -> Result<Picture, Error> {
    let x = || Axis::new("probability of the target p", 0.0, 1.0);
    // Both ends are left out: an infinite loss has no place.
    let probabilities = &x().samples(SAMPLES)[1..SAMPLES - 1];
    let logits: Vec<f32> = probabilities.iter().flat_map(|&p| [(p / (1.0 - p)).ln() as f32, 0.0]).collect();
    let target = vec![0; probabilities.len()];
    let inputs = rows(&logits, &target, 2)?;
    let (mut losses_of, mut gradients_of) = (Vec::new(), Vec::new());
    for (gamma, label) in
        [("0", "γ = 0 (cross-entropy)"), ("0.5", "γ = ½"), ("1", "γ = 1"), ("2", "γ = 2"), ("5", "γ = 5")]
    {
        let loss = AnyLoss::new("focal", &[("alpha", "1"), ("gamma", gamma)])?;
        let evaluation = evaluate(gpu, &loss, &inputs)?;
        losses_of.push(curve(label, probabilities, losses(&evaluation)));
        gradients_of.push(curve(label, probabilities, target_gradient(&evaluation, 2)));
    }
    Ok(Picture {
        title: "Focal loss",
        about: "−(1 − p)^γ · log p with α = 1: the larger γ, the less a sample counts that is predicted well.",
        panels: vec![
            panel("loss", x(), Axis::new("loss", 0.0, 5.0), losses_of),
            panel("gradient", x(), Axis::new("gradient by the logit of the target", -1.4, 0.2), gradients_of),
        ],
    })
}

pub fn bce(gpu: &Gpu) -> Result<Picture, Error> {
    let x = || Axis::new("logit x", -6.0, 6.0);
    let samples = x().samples(SAMPLES);
    let logits = floats(&samples);
    let (mut losses_of, mut gradients_of) = (Vec::new(), Vec::new());
    for (target, label) in [(0.0_f32, "target 0"), (1.0, "target 1")] {
        let target = vec![target; logits.len()];
        let inputs = Named::<HostTensor>::new().with("logits", &logits).with("target", &target);
        let evaluation = evaluate(gpu, &AnyLoss::new("bce_with_logits", &[])?, &inputs)?;
        losses_of.push(curve(label, &samples, losses(&evaluation)));
        gradients_of.push(curve(label, &samples, gradient(&evaluation, "logits")));
    }
    Ok(Picture {
        title: "Binary cross-entropy",
        about: "bce_with_logits: a sure mistake costs nearly as much as its logit is long, and pulls with 1.",
        panels: vec![
            panel("loss", x(), Axis::new("loss", 0.0, 6.0), losses_of),
            panel("gradient", x(), Axis::new("gradient by the logit", -1.2, 1.2), gradients_of),
        ],
    })
}

pub fn distances(gpu: &Gpu) -> Result<Picture, Error> {
    let x = Axis::new("distance of the pair", 0.0, 2.0);
    let distances = x.samples(SAMPLES);
    let (origin, away) = (vec![0.0_f32; distances.len()], floats(&distances));
    let mut pairs = Vec::new();
    for (similar, label) in [(1, "contrastive, similar"), (0, "contrastive, not similar")] {
        let labels = vec![similar; distances.len()];
        let inputs = embeddings([("x1", &origin), ("x2", &away)])?.with("label", &labels);
        pairs.push(curve(label, &distances, losses(&evaluate(gpu, &AnyLoss::new("contrastive", &[])?, &inputs)?)));
    }
    let mut triplets = Vec::new();
    for (positive, label) in
        [(0.25_f32, "triplet, positive at 0.25"), (0.5, "triplet, positive at 0.5"), (1.0, "triplet, positive at 1")]
    {
        let positive = vec![positive; distances.len()];
        let inputs = embeddings([("anchor", &origin), ("positive", &positive), ("negative", &away)])?;
        let evaluation = evaluate(gpu, &AnyLoss::new("triplet_margin", &[("margin", "0.5")])?, &inputs)?;
        triplets.push(curve(label, &distances, losses(&evaluation)));
    }
    let of_negative = Axis::new("distance of the negative from the anchor", 0.0, 2.0);
    Ok(Picture {
        title: "Losses of distances",
        about: "contrastive with margin 1, triplet_margin with margin 0.5; distances in the units of the embeddings.",
        panels: vec![
            panel("contrastive", x, Axis::new("loss", 0.0, 1.5), pairs),
            panel("triplet_margin", of_negative, Axis::new("loss", 0.0, 1.5), triplets),
        ],
    })
}

pub fn regions(gpu: &Gpu) -> Result<Picture, Error> {
    /// Pixels of the region, and as many beside it.
    const REGION: usize = 8;
    const CHOICES: [Choice; 4] = [
        ("dice", &[]),
        ("jaccard", &[]),
        ("tversky", &[("alpha", "0.3"), ("beta", "0.7")]),
        ("focal_tversky", &[("alpha", "0.3"), ("beta", "0.7"), ("exponent", "0.75")]),
    ];
    let x = |label: &str| Axis::new(label, 0.0, 1.0);
    let [found, beside] = [x("probability of the region's pixels"), x("probability of as many pixels beside it")];
    let samples = found.samples(SAMPLES);
    let shape = [SAMPLES, 1, 2 * REGION];
    let target = [[1.0_f32; REGION], [0.0; REGION]].concat().repeat(SAMPLES);
    let curves = |pixels: fn(f32) -> [f32; 2]| {
        let sample = |&x: &f32| pixels(x).map(|p| [p; REGION]).concat();
        let prediction: Vec<f32> = floats(&samples).iter().flat_map(sample).collect();
        let inputs = Named::<HostTensor>::new()
            .with("prediction", HostTensor::new(&prediction, shape)?)
            .with("target", HostTensor::new(&target, shape)?);
        let curve = |(name, settings): &Choice| {
            let settings = [&[("smooth", "0"), ("scope", "sample")], *settings].concat();
            Ok(curve(*name, &samples, losses(&evaluate(gpu, &AnyLoss::new(name, &settings)?, &inputs)?)))
        };
        CHOICES.iter().map(curve).collect::<Result<Vec<_>, Error>>()
    };
    let loss = || Axis::new("loss", 0.0, 1.0);
    Ok(Picture {
        title: "Losses of regions",
        about: "Without smooth; tversky and focal_tversky with alpha 0.3, beta 0.7, and exponent 0.75.",
        panels: vec![
            panel("what is missed", found, loss(), curves(|p| [p, 0.0])?),
            panel("what is too much", beside, loss(), curves(|p| [1.0, p])?),
        ],
    })
}

pub fn boxes(gpu: &Gpu) -> Result<Picture, Error> {
    let x = || Axis::new("shift of the box, in widths of the target", -5.0, 5.0);
    let shifts = x().samples(SAMPLES);
    let wide = |shift: f32| [shift - 2.0, -0.5, shift + 2.0, 0.5];
    let prediction: Vec<f32> = floats(&shifts).into_iter().flat_map(wide).collect();
    let target = [-0.5_f32, -2.0, 0.5, 2.0].repeat(shifts.len());
    let shape = [shifts.len(), 4];
    let inputs = Named::<HostTensor>::new()
        .with("prediction", HostTensor::new(&prediction, shape)?)
        .with("target", HostTensor::new(&target, shape)?);
    let (mut losses_of, mut gradients_of) = (Vec::new(), Vec::new());
    for name in ["iou", "giou", "diou", "ciou"] {
        let evaluation = evaluate(gpu, &AnyLoss::new(name, &[])?, &inputs)?;
        losses_of.push(curve(name, &shifts, losses(&evaluation)));
        // Both of its vertical sides move with the box.
        let sides = gradient(&evaluation, "prediction");
        let along = sides.chunks_exact(4).map(|sides| sides[0] + sides[2]);
        gradients_of.push(curve(name, &shifts, along.collect()));
    }
    Ok(Picture {
        title: "Losses of boxes",
        about: "A box of 4 × 1 passes over one of 1 × 4: where a loss is level, it does not say where to go.",
        panels: vec![
            panel("loss", x(), Axis::new("loss", 0.0, 2.0), losses_of),
            panel("gradient along the shift", x(), Axis::new("gradient per width", -0.3, 0.3), gradients_of),
        ],
    })
}

pub fn label_smoothing(gpu: &Gpu) -> Result<Picture, Error> {
    const CLASSES: usize = 10;
    let x = || Axis::new("logit of the target", -4.0, 12.0);
    let samples = x().samples(SAMPLES);
    let row = |&logit: &f32| [&[logit][..], &[0.0; CLASSES - 1]].concat();
    let logits: Vec<f32> = floats(&samples).iter().flat_map(row).collect();
    let target = vec![0; samples.len()];
    let inputs = rows(&logits, &target, CLASSES)?;
    let (mut losses_of, mut gradients_of) = (Vec::new(), Vec::new());
    for (smoothing, label) in
        [("0", "no smoothing"), ("0.05", "smoothing 0.05"), ("0.1", "smoothing 0.1"), ("0.2", "smoothing 0.2")]
    {
        let evaluation = evaluate(gpu, &AnyLoss::new("cross_entropy", &[("label_smoothing", smoothing)])?, &inputs)?;
        losses_of.push(curve(label, &samples, losses(&evaluation)));
        gradients_of.push(curve(label, &samples, target_gradient(&evaluation, CLASSES)));
    }
    Ok(Picture {
        title: "Label smoothing",
        about: "cross_entropy of ten classes, of which nine have the logit 0: with smoothing, more can be too sure.",
        panels: vec![
            panel("loss", x(), Axis::new("loss", 0.0, 6.0), losses_of),
            panel("gradient", x(), Axis::new("gradient by the logit of the target", -1.2, 0.4), gradients_of),
        ],
    })
}

/// Each item's loss and gradients, from the loss's kernel.
fn evaluate(gpu: &Gpu, loss: &AnyLoss, inputs: &Named<HostTensor<'_>>) -> Result<Evaluation, Error> {
    loss.eval_with(gpu, inputs, Reduction::None)
}

fn losses(evaluation: &Evaluation) -> Vec<f64> {
    evaluation.loss.to_f64()
}

/// The gradient by an input; empty if it has none.
fn gradient(evaluation: &Evaluation, input: &str) -> Vec<f64> {
    evaluation.gradients.get(input).map(HostTensor::to_f64).unwrap_or_default()
}

/// The gradient by the first logit of each row, which is that of the target.
fn target_gradient(evaluation: &Evaluation, classes: usize) -> Vec<f64> {
    gradient(evaluation, "logits").into_iter().step_by(classes).collect()
}

/// Rows of logits and the class of each.
fn rows<'a>(logits: &'a [f32], target: &'a [i32], classes: usize) -> Result<Named<HostTensor<'a>>, Error> {
    let logits = HostTensor::new(logits, [target.len(), classes])?;
    Ok(Named::new().with("logits", logits).with("target", target))
}

/// Embeddings of one dimension.
fn embeddings<'a, const COUNT: usize>(
    inputs: [(&'static str, &'a Vec<f32>); COUNT],
) -> Result<Named<HostTensor<'a>>, Error> {
    let tensor = |(name, values): (&str, &'a Vec<f32>)| {
        Ok((name.to_string(), HostTensor::new(values.as_slice(), [values.len(), 1])?))
    };
    inputs.into_iter().map(tensor).collect()
}

fn panel(title: &str, x: Axis, y: Axis, curves: Vec<Curve>) -> Panel {
    Panel { title: title.to_string(), x, y, content: Content::Curves(curves) }
}

fn curve(label: impl Into<String>, x: &[f64], y: Vec<f64>) -> Curve {
    Curve { label: label.into(), points: x.iter().copied().zip(y).collect() }
}

fn floats(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}
