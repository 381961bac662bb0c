//! What losses of regions share: probabilities, the sums of every score, and the way back from the scores to the
//! predictions.

use super::{Call, Evaluation, binary::sigmoid, is_poison, largest_finite, reciprocal, softmax::*, total, weighed};
use crate::{
    Error, Options, Reduction,
    spec::{self, Activation, MeanOver, Pixel, RegionReference, Scope, Score, Sums, Term, Values},
};

/// Loss and gradients of a call of a loss of regions.
pub(super) fn evaluate(call: &Call, reference: RegionReference, options: &Options) -> Result<Evaluation, Error> {
    let regions = Regions::new(call)?;
    let (sums, sizes) = (regions.sums(|adds| adds), regions.sums(Sums::abs));
    let scores: Vec<Score> = sums.iter().map(|sums| (reference.score)(sums, &call.values)).collect();
    let weights: Vec<f64> = (0..scores.len()).map(|score| regions.weight_of_score(score)).collect();
    let losses: Vec<f64> = scores.iter().zip(&weights).map(|(score, weight)| weight * score.loss).collect();
    let magnitude = |((score, sizes), weight): ((&Score, &Sums), &f64)| {
        weight.abs() * if regions.squared { score.magnitude(sizes) } else { score.loss.abs() }
    };
    let magnitudes: Vec<f64> = scores.iter().zip(&sizes).zip(&weights).map(magnitude).collect();
    let scale = reciprocal(match options.reduction {
        Reduction::None => 1.0,
        Reduction::Sum => call.divisor,
        Reduction::Mean => scores.len() as f64,
        Reduction::WeightedMean => weights.iter().sum(),
        Reduction::BatchMean => call.signature.batch as f64,
    });

    let terms = call.values.spec().regions().and_then(|regions| regions.terms);
    let [pixel_share, score_share] = terms.map_or([0.0, 1.0], |terms| terms.weights.map(|w| call.values.number(w)));
    let pixel_terms: Vec<Term> = match reference.pixel {
        Some(loss) => regions.pixels().map(|(pixel, elements)| regions.pixel_term(loss, pixel, elements)).collect(),
        None => Vec::new(),
    };
    let pixel_scale = terms.map_or(0.0, |terms| {
        reciprocal(match options.reduction {
            Reduction::Sum => call.divisor,
            Reduction::BatchMean => call.signature.batch as f64,
            _ => regions.divisor_of_pixels(terms.mean_over),
        })
    });
    let pixel_losses: Vec<f64> = pixel_terms.iter().map(|term| term.loss[0]).collect();

    // Both terms, each reduced, and their sum.
    let reduced = |pixels: &[f64], scores: &[f64]| {
        let terms = [pixel_scale * total(pixels.iter().copied()), scale * total(scores.iter().copied())];
        (terms, weighed(pixel_share, terms[0]) + weighed(score_share, terms[1]))
    };
    let (each, sum) = reduced(&pixel_losses, &losses);
    let (sizes_of_terms, magnitude) = reduced(&pixel_losses.iter().map(|x| x.abs()).collect::<Vec<_>>(), &magnitudes);

    // The slopes of the sum of the scores' losses; what multiplies that and the sum of the pixels' losses comes last.
    let slope = |score: usize| weights[score] * call.upstream.at(score);
    let slopes: Vec<Sums> = scores.iter().enumerate().map(|(index, score)| score.slopes.scaled(slope(index))).collect();
    let score_factor = score_share * scale * options.gradient_scale();
    let pixel_factor = || pixel_share * pixel_scale * call.upstream.at(0) * options.gradient_scale();
    let roundings = |(score, sizes): (&Score, &Sums)| if regions.squared { score.condition(sizes) } else { 1.0 };
    // Of a loss of 1 nothing is known but that there is one.
    let roundings = largest_finite(scores.iter().zip(&sizes).map(roundings)).max(1.0);
    let mut gradients = call.no_gradients(options);
    let mut gradient_magnitudes: Vec<Vec<f64>> = gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    for ((_, gradient), magnitudes) in gradients.iter_mut().zip(&mut gradient_magnitudes) {
        for (index, (pixel, elements)) in regions.pixels().enumerate() {
            let mut part = regions.pulled_back(pixel, elements, &slopes);
            part.iter_mut().for_each(|g| *g *= score_factor);
            if let Some(term) = pixel_terms.get(index) {
                part.iter_mut().zip(&term.gradients).for_each(|(part, g)| *part += pixel_factor() * g);
            }
            call.put(&part, pixel, gradient);
            call.put(&vec![roundings * largest_finite(part.iter().copied()); part.len()], pixel, magnitudes);
        }
    }
    Ok(Evaluation {
        items: scores.len() as u64,
        loss_magnitudes: magnitudes,
        loss: if options.reduction == Reduction::None { losses } else { vec![sum] },
        terms: if terms.is_some() { each.to_vec() } else { Vec::new() },
        term_magnitudes: if terms.is_some() { sizes_of_terms.to_vec() } else { Vec::new() },
        shape: call.signature.loss_type(options.reduction).shape,
        gradients,
        magnitude,
        gradient_magnitudes,
        ..Evaluation::nothing()
    })
}

/// The regions of a call: the pixels that count, and how they belong to scores.
struct Regions<'a> {
    call: &'a Call,
    counted: Vec<usize>,
    /// The elements of the counted pixels, one for each class of each.
    elements: Vec<Element>,
    class_weight: &'a [f64],
    scope: Scope,
    activation: Activation,
    squared: bool,
    /// Whether the pixels' term is one of each class by itself.
    has_elementwise_term: bool,
    /// The first class that is scored.
    first: usize,
}

/// A class of a pixel.
#[derive(Clone, Copy)]
struct Element {
    /// Its probability.
    p: f64,
    /// 1 − p, with the digits that p itself has lost where it is nearly 1.
    q: f64,
    /// Its target.
    t: f64,
}

impl<'a> Regions<'a> {
    fn new(call: &'a Call) -> Result<Self, Error> {
        let (counted, activation) = (call.counted()?, call.values.word_or("activation", Activation::Softmax));
        let [predictions, targets, class_weight] = &call.inputs[..] else {
            unreachable!("losses of regions have predictions, targets and class weights")
        };
        let elements = |&pixel: &usize| {
            let target = targets.part(pixel);
            let target = |class: usize| match call.signature.has_labels() {
                true => f64::from(u8::from(target[0] == class as f64)),
                false => target[class],
            };
            let probabilities = probabilities(predictions.part(pixel), activation).into_iter().enumerate();
            probabilities.map(move |(class, (p, q))| Element { p, q, t: target(class) })
        };
        Ok(Regions {
            call,
            elements: counted.iter().flat_map(elements).collect(),
            counted,
            class_weight: class_weight.part(0),
            scope: call.values.word_or("scope", Scope::Class),
            activation,
            squared: call.values.flag("squared"),
            has_elementwise_term: spec::Regions::has_elementwise_term(&call.values),
            // A single class is not the background of others.
            first: usize::from(!call.values.flag("include_background") && class_weight.width > 1),
        })
    }

    /// Every pixel that counts, with its elements.
    fn pixels(&self) -> impl Iterator<Item = (usize, &[Element])> {
        self.counted.iter().copied().zip(self.elements.chunks(self.class_weight.len()))
    }

    /// Samples that have scores of their own, or 1 for all of them together.
    fn segments(&self) -> usize {
        if self.scope.is_per_sample() { self.call.signature.batch as usize } else { 1 }
    }

    fn segment_of(&self, pixel: usize) -> usize {
        if self.scope.is_per_sample() { pixel / self.call.signature.class_stride as usize } else { 0 }
    }

    /// The score that an element belongs to, if it is scored.
    fn score_of(&self, pixel: usize, class: usize) -> Option<usize> {
        let (class, classes) = (class.checked_sub(self.first)?, self.class_weight.len() - self.first);
        let segment = self.segment_of(pixel);
        Some(if self.scope.is_per_class() { segment * classes + class } else { segment })
    }

    fn weight_of_score(&self, score: usize) -> f64 {
        let weights = &self.class_weight[self.first..];
        if self.scope.is_per_class() { weights[score % weights.len()] } else { 1.0 }
    }

    /// The sums of every score, of this of what each element adds.
    fn sums(&self, of: fn(Sums) -> Sums) -> Vec<Sums> {
        let classes = self.class_weight.len();
        let mut by_class = vec![Sums::default(); self.segments() * classes];
        for (pixel, elements) in self.pixels() {
            let of_segment = &mut by_class[self.segment_of(pixel) * classes..];
            of_segment.iter_mut().zip(elements).for_each(|(sums, element)| *sums += of(element.adds(self.squared)));
        }
        let scored = by_class.chunks(classes).map(|sums| &sums[self.first..]);
        if self.scope.is_per_class() {
            return scored.flatten().copied().collect();
        }
        let weights = &self.class_weight[self.first..];
        let weighted_sum = |classes: &[Sums]| {
            let mut sums = Sums::default();
            classes.iter().zip(weights).for_each(|(class, &weight)| sums += class.scaled(weight));
            sums
        };
        scored.map(weighted_sum).collect()
    }

    /// The gradient of a pixel by its predictions, where the loss has these slopes by the sums of every score.
    fn pulled_back(&self, pixel: usize, elements: &[Element], slopes: &[Sums]) -> Vec<f64> {
        let by_probability = |(class, element): (usize, &Element)| match self.score_of(pixel, class) {
            Some(score) => {
                // What multiplies what the class adds, unless it multiplies its scores.
                let weight = if self.scope.is_per_class() { 1.0 } else { self.class_weight[class] };
                weight * element.slope(slopes[score], self.squared)
            }
            // 0, unless it is NaN itself.
            None => element.slope(Sums::default(), self.squared),
        };
        let by_probability: Vec<f64> = elements.iter().enumerate().map(by_probability).collect();
        match self.activation {
            Activation::None => by_probability,
            Activation::Sigmoid => elements.iter().zip(by_probability).map(|(e, g)| e.p * e.q * g).collect(),
            Activation::Softmax => {
                let p: Vec<f64> = elements.iter().map(|element| element.p).collect();
                softmax_pullback(&p, &by_probability)
            }
        }
    }

    /// w·t of an element; of an index, 0 for the classes that it does not name, whatever they weigh.
    fn mass(&self, class: usize, element: &Element) -> f64 {
        if self.call.signature.has_labels() && element.t == 0.0 { 0.0 } else { self.class_weight[class] * element.t }
    }

    fn masses(&self, elements: &[Element]) -> Vec<f64> {
        elements.iter().enumerate().map(|(class, element)| self.mass(class, element)).collect()
    }

    /// The loss of a pixel and its gradient by the pixel's logits.
    fn pixel_term(&self, loss: fn(&Pixel<'_>, &Values) -> Term, pixel: usize, elements: &[Element]) -> Term {
        let (logits, masses) = (self.call.inputs[0].part(pixel), self.masses(elements));
        let targets: Vec<f64> = elements.iter().map(|element| element.t).collect();
        let pixel = Pixel { logits, targets: &targets, weights: self.class_weight, masses: &masses };
        let term = loss(&pixel, &self.call.values);
        // What spoils a softmax spoils its term, also where nothing of it has mass.
        if self.has_elementwise_term {
            term
        } else if elements.iter().any(|element| element.p.is_nan()) {
            term.map(|_| f64::NAN)
        } else {
            term
        }
    }

    /// What the mean of the pixels' losses divides by.
    fn divisor_of_pixels(&self, mean_over: MeanOver) -> f64 {
        match mean_over {
            _ if self.has_elementwise_term => self.elements.len() as f64,
            MeanOver::ClassWeights if self.call.signature.has_labels() => {
                self.pixels().flat_map(|(_, elements)| self.masses(elements)).sum()
            }
            MeanOver::ClassWeights | MeanOver::Rows => self.counted.len() as f64,
        }
    }
}

impl Element {
    /// What it adds to the sums of its score.
    fn adds(self, squared: bool) -> Sums {
        let Element { p, q, t } = self;
        let (false_positives, false_negatives) =
            if squared { (p * self.excess(), -t * self.excess()) } else { (p * (1.0 - t), t * q) };
        Sums { true_positives: p * t, false_positives, false_negatives }
    }

    /// The derivative by p of a loss that has these slopes by the sums.
    fn slope(self, slopes: Sums, squared: bool) -> f64 {
        let Element { p, t, .. } = self;
        let by_false_positives = if squared { p + self.excess() } else { 1.0 - t };
        slopes.true_positives * t + slopes.false_positives * by_false_positives - slopes.false_negatives * t
    }

    /// p − t.
    fn excess(self) -> f64 {
        if self.t > 0.5 { (1.0 - self.t) - self.q } else { self.p - self.t }
    }
}

impl Sums {
    fn abs(self) -> Self {
        Sums {
            true_positives: self.true_positives.abs(),
            false_positives: self.false_positives.abs(),
            false_negatives: self.false_negatives.abs(),
        }
    }
}

impl Score {
    /// What rounding errors of the loss are relative to with squares: sums have terms of both signs then, and so has
    /// what the loss makes of the sums.
    fn magnitude(&self, sizes: &Sums) -> f64 {
        self.loss.abs().max(self.missed(sizes))
    }

    /// How many roundings the slopes have then, which are divided by a sum that may be far smaller than its terms: by a
    /// derivative of the loss, 1 − loss over that sum, and its terms.
    fn condition(&self, sizes: &Sums) -> f64 {
        1.0 + self.missed(sizes) / (1.0 - self.loss).abs()
    }

    /// What is missed, with the sizes of its terms, times the derivative by it.
    fn missed(&self, sizes: &Sums) -> f64 {
        let Sums { false_positives, false_negatives, .. } = self.slopes.abs();
        weighed(false_positives, sizes.false_positives) + weighed(false_negatives, sizes.false_negatives)
    }
}

/// p and 1 − p for each class of a pixel.
fn probabilities(predictions: &[f64], activation: Activation) -> Vec<(f64, f64)> {
    match activation {
        Activation::None => predictions.iter().map(|p| (*p, 1.0 - p)).collect(),
        Activation::Sigmoid => {
            let p = |&x: &f64| if is_poison(x) { (f64::NAN, f64::NAN) } else { (sigmoid(x), sigmoid(-x)) };
            predictions.iter().map(p).collect()
        }
        Activation::Softmax => {
            let masked = predictions.iter().all(|&x| x == f64::NEG_INFINITY);
            if masked || predictions.iter().copied().any(is_poison) {
                return vec![(f64::NAN, f64::NAN); predictions.len()];
            }
            ln_softmax(predictions).iter().map(|ln_p| (ln_p.exp(), -ln_p.exp_m1())).collect()
        }
    }
}
