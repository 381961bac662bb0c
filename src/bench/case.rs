//! Which losses are timed at which shapes, and their inputs.

use crate::{
    AnyLoss, DType, Error, HostTensor, Loss, Named, Signature, TensorType,
    draw::{Regime, draw, draw_batch, draw_boxes, draw_distinct_classes, draw_labels, draw_top_k},
    spec::{Domain, Driver, Family, Input, Kind, Linear, Relation, Shape, Values},
};

/// A loss at a shape.
#[derive(Clone, Debug)]
pub struct Case {
    /// The loss.
    pub loss: AnyLoss,
    /// The shape of its first input; of losses with a head followed by the number of classes.
    pub shape: Vec<usize>,
    /// The storage type of its floating inputs and gradients.
    pub dtype: DType,
    /// The origin of the shape; empty for one that was asked for.
    pub origin: String,
}

/// A shape that people train with.
struct UsualShape {
    shape: &'static [usize],
    origin: &'static str,
}

const fn usual(shape: &'static [usize], origin: &'static str) -> UsualShape {
    UsualShape { shape, origin }
}

const REGRESSION: &[UsualShape] = &[
    usual(&[64, 4, 64, 64], "latents of images of 512×512, batch of 64"),
    usual(&[64, 3, 224, 224], "images reconstructed, batch of 64"),
];

const BINARY: &[UsualShape] = &[
    usual(&[16, 1, 512, 512], "masks of 512×512, batch of 16"),
    usual(&[1, 76_725, 80], "RetinaNet's anchors of an image of 640×640, 80 classes of COCO"),
];

const ROWS: &[UsualShape] = &[
    usual(&[1024, 1000], "ImageNet's classes, batch of 1,024"),
    usual(&[8192, 50_257], "GPT-2's vocabulary, 8 sequences of 1,024 tokens"),
    usual(&[4, 19, 512, 1024], "Cityscapes' classes, 4 crops of 512×1024"),
];

const SEGMENTATION: &[UsualShape] = &[
    usual(&[4, 8, 256, 256], "8 classes, batch of 4 images of 256×256"),
    usual(&[4, 19, 512, 1024], "Cityscapes' classes, 4 crops of 512×1024"),
    usual(&[2, 4, 96, 96, 96], "3 tumour regions and background, batch of 2 volumes of 96×96×96"),
];

const EMBEDDINGS: &[UsualShape] = &[
    usual(&[2048, 128], "batch of 2,048, embeddings of 128 dimensions"),
    usual(&[1024, 768], "CLIP's embeddings, batch of 1,024"),
];

const GENERATIVE: &[UsualShape] =
    &[usual(&[1024, 784], "digits of 28×28, batch of 1,024"), usual(&[64, 3, 64, 64], "faces of 64×64, batch of 64")];

const FEATURES: &[UsualShape] = &[
    usual(&[8, 128, 112, 112], "relu2_2 of VGG-16, batch of 8 images of 224×224"),
    usual(&[8, 512, 28, 28], "relu4_3 of VGG-16, batch of 8 images of 224×224"),
];

/// A value a task, however large the tasks.
const TASKS: &[UsualShape] =
    &[usual(&[3], "segmentation, depth and boxes of a scene"), usual(&[26], "all tasks of Taskonomy")];

/// Of each pair of answers sums of log-probabilities, however long the answers.
const ANSWERS: &[UsualShape] =
    &[usual(&[64], "pairs of answers of a step"), usual(&[65_536], "tokens of 32 answers of 2,048")];

/// Hidden states, and the classes of the head.
const LINEAR: &[UsualShape] = &[
    usual(&[1024, 256, 32_000], "a small model's head, 1,024 tokens"),
    usual(&[2048, 768, 50_257], "GPT-2's head, 2 sequences of 1,024 tokens"),
    usual(&[4096, 4096, 128_256], "Llama 3's head, half a sequence of 8,192 tokens"),
    usual(&[4096, 2304, 256_000], "Gemma 2's head, half a sequence of 8,192 tokens"),
];

/// Embeddings, and the classes that they are told apart by.
const IDENTITIES: &[UsualShape] = &[
    usual(&[512, 512, 50_000], "50,000 identities of faces, batch of 512"),
    usual(&[512, 512, 85_742], "MS1MV2's identities, batch of 512"),
];

/// Latent variables of a sample.
const LATENT: usize = 64;

const BOXES: &[UsualShape] = &[
    usual(&[18_688, 4], "anchors matched to COCO's objects, 10 each, batch of 64 mosaics of 4 images"),
    usual(&[64, 8400, 4], "all boxes of YOLOv8 for images of 640×640, batch of 64"),
];

/// Values are drawn so many at a time and repeated.
const TILE: usize = 1 << 16;

impl Case {
    /// The loss at the shapes that people train with. Where a tensor would take more than `memory` bytes, the first
    /// axis is halved until it does not, as the origin then says.
    pub fn usual(loss: &AnyLoss, dtype: DType, memory: u64) -> Vec<Case> {
        let shapes = match (first_shape(loss), loss.spec().family) {
            (Shape::Boxes, _) => BOXES,
            (Shape::Embeddings, _) | (_, Family::Pairs) => EMBEDDINGS,
            (Shape::Rows, Family::Segmentation) => SEGMENTATION,
            (Shape::Hidden | Shape::TokenRows, Family::Linear) if is_of_cosines(loss) => IDENTITIES,
            (Shape::Hidden | Shape::TokenRows, Family::Linear) => LINEAR,
            (Shape::Rows | Shape::TokenRows, _) => ROWS,
            _ if loss.spec().inputs[0].per_layer => FEATURES,
            (_, Family::Binary) => BINARY,
            (_, Family::Generative) => GENERATIVE,
            (_, Family::Tasks) => TASKS,
            (_, Family::Preferences) => ANSWERS,
            _ => REGRESSION,
        };
        let case = |usual: &UsualShape| {
            let mut shape = usual.shape.to_vec();
            let mut origin = usual.origin.to_string();
            let size = |shape: &[usize]| TensorType::new(dtype, shape).buffer_size();
            // A head has its classes behind the first input's axes, and is larger than that.
            let (axis, first) = if has_head(loss) { (2, 1) } else { (0, 0) };
            while size(&shape[first..]) > memory && shape[axis] > 1 {
                shape[axis] /= 2;
            }
            if shape[axis] < usual.shape[axis] {
                let what = if has_head(loss) { "its classes" } else { "it" };
                origin += &format!("; 1/{} of {what}", usual.shape[axis] / shape[axis]);
            }
            Case { loss: loss.clone(), shape, dtype, origin }
        };
        shapes.iter().map(case).collect()
    }

    /// The loss with so many elements in its first input: of losses of rows, rows of 1,000 classes; of embeddings, rows
    /// of 128; of boxes, four each; of hidden states, rows of 256 with 1,000 classes.
    pub fn of_elements(loss: &AnyLoss, dtype: DType, elements: usize) -> Case {
        let shape = match first_shape(loss) {
            Shape::Boxes => vec![elements / 4, 4],
            Shape::Embeddings => vec![elements / 128, 128],
            // Images of eight classes.
            Shape::Rows if loss.spec().regions().is_some() => vec![1, 8, elements / 8],
            _ if has_head(loss) => vec![elements / 256, 256, 1000],
            Shape::Rows | Shape::TokenRows => vec![elements / 1000, 1000],
            // An image of 64 channels.
            Shape::OwnRows => vec![1, 64, elements / 64],
            _ => vec![elements],
        };
        Case { loss: loss.clone(), shape, dtype, origin: String::new() }
    }

    /// The multiplications and additions of a loss that multiplies matrices, `None` of others. Kernels may do more, or
    /// fewer where a product is the same the other way round.
    ///
    /// - A comparison of all pairs of a batch: of D dimensions 2·D for the value of a pair, and as many for what it
    ///   adds to either row's gradient.
    /// - A head: 2·H for each logit, and as many for what it adds to the gradients of its row and of its class.
    /// - Gram matrices: 2·P for each of the C² products of a sample's features, of its target and of its gradient.
    pub fn operations(&self) -> Option<f64> {
        if let (Shape::OwnRows, [samples, channels, inner @ ..]) = (first_shape(&self.loss), &self.shape[..]) {
            let positions = inner.iter().product::<usize>() as f64;
            return Some(*samples as f64 * (*channels as f64).powi(2) * positions * 6.0);
        }
        if has_head(&self.loss) {
            return Some(6.0 * self.shape.iter().map(|&length| length as f64).product::<f64>());
        }
        let relation = self.loss.spec().all_pairs()?.relation;
        let &[rows, dimensions] = &self.shape[..] else { return None };
        let rows = if relation == Relation::Views { 2 * rows } else { rows } as f64;
        Some(rows * rows * 6.0 * dimensions as f64)
    }

    /// The shape of the first input.
    fn first_input(&self) -> &[usize] {
        match self.shape.split_last() {
            Some((_, first)) if has_head(&self.loss) => first,
            _ => &self.shape,
        }
    }

    /// The classes of an item.
    fn classes(&self) -> usize {
        let classes = if has_head(&self.loss) { self.shape.last() } else { self.shape.get(1) };
        classes.copied().unwrap_or(1)
    }

    /// The types of the inputs that the loss needs.
    ///
    /// # Errors
    /// [`Error::Shape`] for a shape that the loss does not take, [`Error::Parameter`].
    pub fn types(&self) -> Result<Named<TensorType>, Error> {
        let spec = self.loss.spec();
        let signature = Signature::of_shape(&Values::new(spec, self.loss.values())?, self.first_input())?;
        // Without an upstream gradient for each class, that of a softmax is 0.
        let is_needed = |input: &&Input| !input.optional || (spec.is_per_class() && input.shape == Shape::OneOrItems);
        let mut types = Named::<TensorType>::new();
        for input in spec.all_inputs().filter(is_needed) {
            // Masks are class indices.
            let input = input.as_indices.unwrap_or(input);
            let dtype = if input.kind == Kind::Index { DType::I32 } else { self.dtype };
            let shape = match input.shape {
                Shape::OwnOfBatch => vec![self.shape[0], LATENT],
                Shape::Head(_) => {
                    vec![self.classes() * signature.centers as usize, self.shape[self.shape.len() - 2]]
                }
                Shape::HeadRows => [&signature.item_shape[..], &[self.classes()]].concat(),
                Shape::Like(other) => types.get(other).map_or_else(Vec::new, |ty| ty.shape.clone()),
                _ => signature.shape_of(input),
            };
            types = types.with(input.name, TensorType::new(dtype, shape));
        }
        Ok(types)
    }

    /// Values for the inputs that the loss needs, of their domains.
    ///
    /// # Errors
    /// [`Error::DType`] for a storage type that is not floating; those of [`Case::types`].
    pub fn inputs(&self) -> Result<Named<HostTensor<'static>>, Error> {
        let spec = self.loss.spec();
        let values = Values::new(spec, self.loss.values())?;
        let mut rng = fastrand::Rng::with_seed(0);
        let mut first: Vec<f64> = Vec::new();
        let mut inputs = Named::<HostTensor<'static>>::new();
        for (name, ty) in self.types()?.iter() {
            let input = spec.input(name);
            let rows = self.shape[0].max(1);
            let tile = if input.is_some_and(|input| input.domain == Domain::Label) {
                // As many of a label as samplers for metric learning take.
                bytemuck::pod_collect_to_vec(&draw_labels(rows, rows.div_ceil(8), &mut rng))
            } else if input.is_some_and(|input| input.domain == Domain::DistinctClasses) {
                let given = ty.shape[1];
                let tile = (TILE / given).clamp(1, ty.shape[0].max(1));
                bytemuck::pod_collect_to_vec(&draw_distinct_classes(tile, [given, self.classes()], &mut rng))
            } else if input.is_some_and(|input| input.domain == Domain::Offsets) {
                let sequences = ty.elements() as usize - 1;
                let offset = |place: usize| (self.shape[0] * place).checked_div(sequences).unwrap_or(0) as i32;
                bytemuck::pod_collect_to_vec(&(0..=sequences).map(offset).collect::<Vec<i32>>())
            } else if ty.dtype == DType::I32 {
                let classes = self.classes().clamp(1, i32::MAX as usize) as i32;
                let labels: Vec<i32> = (0..TILE).map(|_| rng.i32(0..classes)).collect();
                bytemuck::pod_collect_to_vec(&labels)
            } else {
                let (domain, shape) =
                    input.map_or((Domain::Real, Shape::Items), |input| (input.domain.resolve(&values), input.shape));
                // Log-probabilities are near others, not near logits or hidden states.
                let is_near = domain != Domain::LogProbability || spec.inputs[0].domain == domain;
                let near = |i: usize| first.get(i).copied().filter(|_| is_near);
                let drawn: Vec<f64> = match shape {
                    Shape::Boxes => draw_boxes(Regime::Small, TILE / 4, &first, &mut rng),
                    Shape::Embeddings if spec.all_pairs().is_some() => {
                        draw_batch(Regime::Small, &values, [rows, self.shape[1]], &first, &mut rng)
                    }
                    Shape::ItemRows => {
                        let given = ty.shape[1];
                        draw_top_k(Regime::Small, (TILE / given).clamp(1, rows), given, &mut rng)
                    }
                    // As before it has learnt: the logits are about as large as the hidden states.
                    Shape::Head(_) => {
                        let length = ty.shape.last().copied().unwrap_or(1).max(1) as f64;
                        let weight = |_| draw(domain, Regime::Small, None, &mut rng) / length.sqrt();
                        (0..TILE).map(weight).collect()
                    }
                    // CLIP's first temperature.
                    Shape::Scalar => vec![(1.0_f64 / 0.07).ln()],
                    _ => (0..TILE).map(|i| draw(domain, Regime::Small, near(i), &mut rng)).collect(),
                };
                let tile = HostTensor::rounded(&drawn, ty.dtype, [drawn.len()])?.bytes().to_vec();
                if first.is_empty() {
                    first = drawn;
                }
                tile
            };
            let size = ty.elements() as usize * ty.dtype.size();
            let mut bytes = tile.repeat(size.div_ceil(tile.len()));
            bytes.truncate(size);
            inputs = inputs.with(name, HostTensor::from_bytes(ty.dtype, ty.shape.clone(), bytes)?);
        }
        Ok(inputs)
    }
}

/// Whether a loss has a head, whose classes are no axis of its first input.
fn has_head(loss: &AnyLoss) -> bool {
    loss.spec().has_head()
}

/// Whether a loss has a head whose logits are cosines.
fn is_of_cosines(loss: &AnyLoss) -> bool {
    matches!(loss.spec().driver, Driver::Linear(Linear { cosine: Some(_), .. }))
}

/// The form of the shapes that a loss takes: what its first input is.
fn first_shape(loss: &AnyLoss) -> Shape {
    loss.spec().inputs[0].shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_of_all_pairs() {
        let operations = |loss: &str, shape: &[usize]| {
            let loss = AnyLoss::new(loss, &[]).unwrap();
            Case { loss, shape: shape.to_vec(), dtype: DType::F32, origin: String::new() }.operations()
        };
        assert_eq!(operations("info_nce", &[10, 3]), Some(1800.0));
        assert_eq!(operations("triplet_batch_hard", &[10, 3]), Some(1800.0));
        // Both views of each sample.
        assert_eq!(operations("nt_xent", &[10, 3]), Some(7200.0));
        assert_eq!(operations("nt_xent", &[10]), None);
        assert_eq!(operations("mse", &[10, 3]), None);
    }

    #[test]
    fn about_eight_rows_have_a_label() {
        let loss = AnyLoss::new("sup_con", &[]).unwrap();
        let case = Case { loss, shape: vec![2048, 16], dtype: DType::F32, origin: String::new() };
        let labels: Vec<i32> = case.inputs().unwrap().get("labels").unwrap().to_vec().unwrap();
        let different = labels.iter().collect::<std::collections::HashSet<_>>().len();
        // One row in eight is alone with its label.
        assert!((450..600).contains(&different), "{different}");
    }
}
