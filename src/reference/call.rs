//! A call of the reference: what is checked before any loss, and the values of each item.

use std::ops::Range;

use super::{
    broadcast,
    choices::ROUNDING,
    is_poison, multiclass,
    softmax::{self, argmax},
};
use crate::{
    Error, Gradients, HostTensor, Loss, Named, Options, Signature, TensorType,
    options::check_divisor,
    out_of_range,
    spec::{
        Column, DIVISOR, Domain, Driver, ITEM_WEIGHT, Input, Item, Kind, MASK, MeanOver, Reference, Rows, SLACK, Shape,
        Term, Told, UPSTREAM, Values, WEIGHT,
    },
};

/// A checked call with its inputs' values.
pub(super) struct Call {
    pub reference: Reference,
    pub values: Values,
    pub signature: Signature,
    /// The loss's own inputs, in the order of the spec.
    pub inputs: Vec<Column>,
    pub weight: Column,
    pub mask: Column,
    pub upstream: Column,
    /// What a sum is divided by.
    pub divisor: f64,
}

/// The values of an input by item. Probabilities that rounding has brought beyond an end are that end.
fn column(input: &Input, given: Option<&HostTensor<'_>>, values: &Values, signature: &Signature) -> Column {
    let row = signature.row as usize;
    let width = match input.shape {
        Shape::Rows | Shape::Classes | Shape::Boxes | Shape::Embeddings => row,
        Shape::OneOrItems if values.spec().is_per_class() => row,
        Shape::ItemRows => signature.shape_of(input).last().copied().unwrap_or(1),
        Shape::Items
        | Shape::OneOrItems
        | Shape::LastAxis
        | Shape::Scalar
        | Shape::Own
        | Shape::OwnOfBatch
        | Shape::OwnRows
        | Shape::Layers
        | Shape::Like(_)
        | Shape::Hidden
        | Shape::Head(_)
        | Shape::HeadClasses
        | Shape::HeadRows
        | Shape::Tokens
        | Shape::TokenRows
        | Shape::Offsets(_) => 1,
    };
    // Of what is left out a class is any.
    let absent = if input.kind == Kind::Index { 0.0 } else { input.absent.into() };
    let is_given = given.is_some();
    let given = given.map_or(vec![absent], HostTensor::to_f64);
    let by_item = |index| given[place(index / width, index % width, width, signature)];
    let is_of_no_row = signature.items == 0 && values.spec().rows().is_some();
    let values_by_item = match input.shape {
        // Rows that there are not have no classes, however many each would have.
        _ if given.len() == 1 && is_of_no_row => Vec::new(),
        _ if given.len() == 1 => vec![given[0]; width],
        Shape::Classes if given.len() == width => given,
        _ => match signature.broadcast_axes(input.name) {
            Some(axes) => broadcast::places(&axes, signature).map(|place| given[place]).collect(),
            None if width == 1 => given,
            None => (0..given.len()).map(by_item).collect(),
        },
    };
    let domain = input.domain.resolve(values);
    let within = |x: f64| match domain {
        Domain::Probability if (-SLACK..=1.0 + SLACK).contains(&x) => x.clamp(0.0, 1.0),
        _ => x,
    };
    let values = values_by_item.into_iter().map(within).collect();
    Column { name: input.name, domain, is_given, width, values }
}

impl Call {
    pub fn new(loss: &dyn Loss, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Self, Error> {
        Call::of_values(Values::new(loss.spec(), loss.values())?, given, options)
    }

    /// The call of a loss with these values of its parameters.
    pub fn of_values(values: Values, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Self, Error> {
        let spec = values.spec();
        let signature = Signature::new(spec, &values, &given.map(|tensor| tensor.ty().clone()), options)?;
        let column_of = |input: &'static Input| {
            let tensor = given.get(input.name);
            let input = tensor.map_or(input, |tensor| input.given_as(tensor.dtype()));
            column(input, tensor, &values, &signature)
        };
        let inputs = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).map(column_of).collect();
        let weight = column_of(if spec.has_head() { &ITEM_WEIGHT } else { &WEIGHT });
        let (mask, upstream) = (column_of(&MASK), column_of(&UPSTREAM));
        let own = given.get(DIVISOR.name);
        let divisor = f64::from(options.divisor.unwrap_or(1.0)) * own.map_or(1.0, HostTensor::item);
        own.map_or(Ok(()), |_| check_divisor(spec, divisor as f32))?;
        Ok(Call { reference: spec.reference, values, signature, inputs, weight, mask, upstream, divisor })
    }

    /// The indices of the items that count.
    pub fn counted(&self) -> Result<Vec<usize>, Error> {
        let (mut counted, mut count, mut first) = (Vec::new(), 0, None);
        for item in self.items().filter(|&item| self.is_kept(item) && !self.is_ignored(item)) {
            match self.out_of_range(item) {
                0 => counted.push(item),
                bad => {
                    first.get_or_insert(item as u64);
                    count += bad;
                }
            }
        }
        match first {
            None => Ok(counted),
            Some(first) => Err(out_of_range::error(&self.values, &self.signature, count, first)),
        }
    }

    pub fn is_weighted(&self) -> bool {
        self.signature.input(self.values.spec().item_weight()).is_some()
    }

    pub fn is_kept(&self, item: usize) -> bool {
        self.mask.at(item) != 0.0
    }

    fn is_ignored(&self, item: usize) -> bool {
        let ignored = || f64::from(self.values.integer("ignore_index"));
        self.signature.has_labels() && self.values.has("ignore_index") && self.item(item)["target"] == ignored()
    }

    /// How much of an item is out of range: the whole, or of a pixel whose target is no bad index, how many classes.
    fn out_of_range(&self, item: usize) -> u64 {
        // Where a row is NaN by another of its values, none of its logarithms is out of range.
        let is_poisoned = self.rows().is_some() && self.is_poisoned(item);
        let is_whole = |input: &Column| {
            let part = input.part(item);
            has_upright_boxes(input.domain, part) && names_none_twice(input.domain, part)
        };
        if !self.inputs.iter().all(is_whole) {
            return 1;
        }
        let is_bad = |input: &Column, class: usize| {
            let is_excused = is_poisoned && input.name == self.inputs[0].name && input.domain == Domain::LogProbability;
            let is_asked = input.is_given && !is_excused;
            input.part(item).get(class).is_some_and(|&x| is_asked && !input.domain.contains(x, self.signature.row))
        };
        let is_out = |class: usize| self.inputs.iter().any(|input| is_bad(input, class));
        let names_a_class = || !self.inputs.iter().any(|input| input.domain == Domain::Class && is_bad(input, 0));
        let mut classes = 0..self.signature.row as usize;
        match self.reference {
            Reference::Regions(_) if names_a_class() => classes.filter(|&class| is_out(class)).count() as u64,
            _ => u64::from(classes.any(is_out)),
        }
    }

    pub fn items(&self) -> Range<usize> {
        0..self.signature.items as usize
    }

    pub fn item(&self, index: usize) -> Item<'_> {
        Item { inputs: &self.inputs, upstream: &self.upstream, index }
    }

    /// Loss and gradients of an item that counts, apart from weight, reduction and upstream. All of it is NaN where a
    /// value leaves nothing of the item: an element or a row NaN, a logit +∞ too, a value of a box or an embedding any
    /// that is not finite.
    pub fn term(&self, loss: impl Fn(&Item<'_>, &Values) -> Term, index: usize) -> Term {
        let item = self.item(index);
        let term = loss(&item, &self.values);
        let is_spoilt = match self.values.spec().driver {
            Driver::Elementwise => item.any(f64::is_nan),
            // What is infinite of a row itself leaves nothing of it; its own values have limits.
            Driver::Rows(_) => {
                let is_own = |column: &Column| self.values.spec().own_values().any(|own| own.name == column.name);
                item.any_of(|column| if is_own(column) { f64::is_nan } else { is_poison })
            }
            // Of classes that are not given nothing need be known.
            Driver::TopK(_) => false,
            _ => item.any(|x| !x.is_finite()),
        };
        let is_of_rows = matches!(self.values.spec().driver, Driver::Rows(_) | Driver::TopK(_));
        let is_lost = is_spoilt || !is_of_rows && term.loss[0].is_nan();
        let term = if is_spoilt { term.telling(Told::UNKNOWN) } else { term };
        if is_lost { term.map(|_| f64::NAN) } else { term }
    }

    /// A gradient of 0 for each input that is to have one.
    pub fn no_gradients(&self, options: &Options) -> Vec<(&'static str, Vec<f64>)> {
        match options.gradients {
            Gradients::Skip => Vec::new(),
            Gradients::Write | Gradients::InPlace | Gradients::Add { .. } => {
                let zeros = |(input, ty): (&Input, &TensorType)| (input.name, vec![0.0; ty.elements() as usize]);
                self.signature.differentiable().map(zeros).collect()
            }
        }
    }

    /// What an item that counts adds to the divisor of a mean, apart from its weight.
    pub fn mass(&self, item: usize) -> f64 {
        match self.rows() {
            Some(Rows { mean_over: MeanOver::ClassWeights, .. }) => {
                let item = self.item(item);
                item.row("class_weight")[item.class()]
            }
            _ => 1.0,
        }
    }

    /// What the gradients of an item are multiplied with; those of a function per class have it in them.
    pub fn upstream(&self, item: usize) -> f64 {
        if self.values.spec().is_per_class() { 1.0 } else { self.upstream.at(item) }
    }

    /// Puts what an item has of a tensor, one value or one per class, where it belongs.
    pub fn put(&self, part: &[f64], item: usize, tensor: &mut [f64]) {
        for (class, &x) in part.iter().enumerate() {
            tensor[place(item, class, part.len(), &self.signature)] = x;
        }
    }

    pub fn log_sum_exp(&self, item: usize) -> f64 {
        self.of_logits(item, softmax::ln_sum_exp)
    }

    pub fn entropy(&self, item: usize) -> f64 {
        self.of_logits(item, |logits| multiclass::shannon_entropy(&softmax::ln_softmax(logits)))
    }

    pub fn entropy_magnitude(&self, item: usize) -> f64 {
        self.of_logits(item, |logits| multiclass::shannon_magnitude(&softmax::ln_softmax(logits)))
    }

    /// 0 of an item that does not count.
    pub fn log_prob(&self, item: usize) -> f64 {
        if !self.is_kept(item) || self.is_ignored(item) {
            return 0.0;
        }
        self.of_logits(item, |logits| softmax::ln_softmax(logits)[self.item(item).class()])
    }

    /// What a function makes of a row of logits as the loss sees them; NaN of a row with NaN or +∞.
    fn of_logits(&self, item: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        let is_poisoned = self.is_poisoned(item);
        if is_poisoned { f64::NAN } else { of(&multiclass::seen_with_offset(&self.item(item), &self.values)) }
    }

    /// Whether NaN or +∞ leaves nothing of a row of logits.
    fn is_poisoned(&self, item: usize) -> bool {
        let item = self.item(item);
        let offsets = item.row_of("class_offset").unwrap_or_default();
        item.first().iter().chain(offsets).copied().any(is_poison)
    }

    pub fn argmax(&self, item: usize) -> i32 {
        self.predicted(item).map_or(-1, |class| class as i32)
    }

    /// The first of the largest logits; of a row without NaN and +∞.
    fn predicted(&self, item: usize) -> Option<usize> {
        let (is_poisoned, item) = (self.is_poisoned(item), self.item(item));
        let logits = item.first();
        let Some(offsets) = item.row_of("class_offset") else { return argmax(logits) };
        let seen = multiclass::seen_with_offset(&item, &self.values);
        // What a softcap makes equal is told apart where offsets do not.
        let is_above = |class: usize, other: usize| match offsets[class] == offsets[other] {
            true => logits[class] > logits[other] && seen[class] != f64::NEG_INFINITY,
            false => seen[class] > seen[other],
        };
        let largest = (0..seen.len()).reduce(|best, class| if is_above(class, best) { class } else { best });
        largest.filter(|_| !is_poisoned)
    }

    /// The items whose predicted class rounding decides: where a softcap has left next to nothing between the largest
    /// logits, to which offsets are added.
    pub fn doubtful_predictions(&self) -> Vec<usize> {
        let softcap = self.values.number_or("softcap", 0.0);
        if softcap == 0.0 || self.signature.input("class_offset").is_none() {
            return Vec::new();
        }
        let is_doubtful = |item: &usize| {
            let Some(best) = self.predicted(*item) else { return false };
            let item = self.item(*item);
            let (seen, offsets) = (multiclass::seen_with_offset(&item, &self.values), item.row("class_offset"));
            let magnitude = |class: usize| softcap + offsets[class].abs();
            let is_near = |class: usize| seen[best] - seen[class] <= ROUNDING * (magnitude(best) + magnitude(class));
            (0..seen.len()).any(|class| class != best && seen[class].is_finite() && is_near(class))
        };
        self.items().filter(is_doubtful).collect()
    }

    pub fn correct(&self, counted: &[usize]) -> Option<u64> {
        let is_correct = |item| self.predicted(item) == Some(self.item(item).class());
        let has_predictions = self.rows().is_some() && self.signature.has_labels();
        has_predictions.then(|| counted.iter().filter(|&&item| is_correct(item)).count() as u64)
    }

    fn rows(&self) -> Option<Rows> {
        self.values.spec().rows()
    }
}

/// Where an item's value for a class lies in a tensor with an axis of classes, `[N, classes, d…]`.
fn place(item: usize, class: usize, classes: usize, signature: &Signature) -> usize {
    let inner = signature.class_stride as usize;
    (item / inner * classes + class) * inner + item % inner
}

/// Whether a box of the domain has its corners in order; true for other values, and where a corner is NaN.
fn has_upright_boxes(domain: Domain, values: &[f64]) -> bool {
    !matches!((domain, values), (Domain::TargetBox, &[x1, y1, x2, y2]) if x2 < x1 || y2 < y1)
}

/// Whether no class of the domain is named twice; true for other values.
fn names_none_twice(domain: Domain, values: &[f64]) -> bool {
    let mut classes: Vec<i64> = values.iter().map(|&class| class as i64).collect();
    classes.sort_unstable();
    domain != Domain::DistinctClasses || classes.windows(2).all(|pair| pair[0] != pair[1])
}
