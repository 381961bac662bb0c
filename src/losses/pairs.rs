//! Pairs and given triplets: one row of embeddings `[N, D]` of each input an item, or one value of each.
//!
//! What the losses have in common:
//!
//! - Labels say whether the two of a pair belong together. They may be floats or i32.
//! - Distances are those of [`Distance`]; a euclidean one adds `eps` to every difference, as PyTorch does, so that
//!   nearly equal rows are still drawn together. Differences are taken before anything else, so those of nearly equal
//!   rows, and the cosine of nearly parallel ones, keep their digits.
//! - Where a hinge begins, the gradient is 0.
//! - Rows may have any length that f32 holds: their squares need not be within it.
//! - A row with NaN or infinity makes its item's loss and gradients NaN, and so does a squared distance beyond f32.

use crate::{
    loss, reference,
    spec::{Distance, Domain, Driver, Family, Input, Reference, Rule, Shape, WEIGHT, shader_file},
};

const X1: Input = Input::differentiable("x1", Shape::Embeddings, Domain::Real);
const X2: Input = Input::differentiable("x2", Shape::Embeddings, Domain::Real);
const SIGN: Input = Input::label("label", Domain::Sign);

loss! {
    /// Contrastive loss: similar rows are drawn together, others pushed apart up to a margin.
    ///
    /// `factor·[y·d² + (1 − y)·max(0, margin − d)²]`, with the distance d = ‖x1 − x2 + eps‖₂. At d = 0 the second term
    /// has no gradient.
    ///
    /// Inputs `x1` ∂ and `x2` ∂ `[N, D]`, `label` y `[N]`, checked to be 1 (similar) or 0, optional `weight` `[N]`.
    /// Source: Hadsell, Chopra and LeCun 2006, with their ½ as `factor`.
    ///
    /// ```
    /// # use wgloss::{Contrastive, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // At the distances 0.5 and 0.5 of each other: one pair is similar, one is not.
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("x1", HostTensor::new(&[0.5_f32, 1.0, 0.0, 0.0], [2, 2])?)
    ///     .with("x2", HostTensor::new(&[0.5_f32, 0.5, 0.3, 0.4], [2, 2])?)
    ///     .with("label", &[1, 0]);
    /// let result = Contrastive::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// for loss in result.loss.to_f64() {
    ///     approx::assert_abs_diff_eq!(loss, 0.125, epsilon = 1e-5);
    /// }
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Contrastive {
        /// How far rows that are not similar are to be apart. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// What both terms are multiplied with; at least 0. Default 0.5.
        pub factor: f32 = 0.5 => Rule::NonNegative;
        /// Added to every difference; at least 0. Default 1e-6.
        pub eps: f32 = 1e-6 => Rule::NonNegative;
    }

    pub static CONTRASTIVE: LossSpec = {
        name: "contrastive",
        aliases: &["ContrastiveLoss"],
        family: Family::Pairs,
        formula: "factor·[y·d² + (1 − y)·max(0, margin − d)²], d = ‖x1 − x2 + eps‖₂",
        notes: "y is 1 for similar rows, 0 for others; gradient 0 at d = 0 for others",
        source: "Hadsell, Chopra and LeCun 2006",
        driver: Driver::Pairs,
        inputs: &[X1, X2, Input::label("label", Domain::Similar), WEIGHT],
        shader: shader_file!("losses/pairs/contrastive.wgsl"),
        reference: Reference::Pairs(reference::contrastive),
    };
}

loss! {
    /// Cosine embedding loss: rows that belong together are to point the same way.
    ///
    /// `1 − cos` where y is 1, `max(0, cos − margin)` where it is −1, with cos = x1·x2 / max(‖x1‖·‖x2‖, 1e-8).
    ///
    /// The cosine of a zero vector is 0, and so is its gradient. PyTorch adds 1e-12 to both squared lengths instead;
    /// where these are far above that the two agree.
    ///
    /// Inputs `x1` ∂ and `x2` ∂ `[N, D]`, `label` y `[N]`, checked to be −1 or 1, optional `weight` `[N]`. Source:
    /// PyTorch CosineEmbeddingLoss.
    ///
    /// ```
    /// # use wgloss::{CosineEmbedding, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("x1", HostTensor::new(&[1.0_f32, 0.0, 3.0, 4.0], [2, 2])?)
    ///     .with("x2", HostTensor::new(&[3.0_f32, 4.0, 6.0, 8.0], [2, 2])?)
    ///     .with("label", &[1, -1]);
    /// let result = CosineEmbedding { margin: 0.5 }.eval_with(&gpu, &inputs, Reduction::None)?;
    /// for (found, expected) in result.loss.to_f64().into_iter().zip([0.4, 0.5]) {
    ///     approx::assert_abs_diff_eq!(found, expected, epsilon = 1e-6);
    /// }
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct CosineEmbedding {
        /// Which cosine rows that do not belong together may have. Default 0.
        pub margin: f32 = 0.0 => Rule::Finite;
    }

    pub static COSINE_EMBEDDING: LossSpec = {
        name: "cosine_embedding",
        aliases: &["CosineEmbeddingLoss"],
        family: Family::Pairs,
        formula: "1 − cos if y = 1, max(0, cos − margin) if y = −1",
        notes: "cos = x1·x2 / max(‖x1‖·‖x2‖, 1e-8); that of a zero vector is 0, and its gradient too",
        source: "PyTorch CosineEmbeddingLoss",
        driver: Driver::Pairs,
        inputs: &[X1, X2, SIGN, WEIGHT],
        shader: shader_file!("losses/pairs/cosine_embedding.wgsl"),
        reference: Reference::Pairs(reference::cosine_embedding),
    };
}

loss! {
    /// Margin ranking loss: of two scores one is to be the larger.
    ///
    /// `max(0, −y·(x1 − x2) + margin)`.
    ///
    /// Inputs `x1` ∂ and `x2` ∂ `[*]`, `label` y `[*]`, checked to be 1 (x1 is to be larger) or −1, optional `weight`
    /// `[*]`. Source: PyTorch MarginRankingLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, MarginRanking, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("x1", &[2.0_f32, 0.5, 1.0])
    ///     .with("x2", &[1.0_f32, 1.0, 0.75])
    ///     .with("label", &[1, 1, -1]);
    /// let result = MarginRanking { margin: 0.5 }.eval_with(&gpu, &inputs, Reduction::None)?;
    /// assert_eq!(result.loss.to_f64(), [0.0, 1.0, 0.75]);
    /// assert_eq!(result.gradients.get("x1").unwrap().to_f64(), [0.0, -1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct MarginRanking {
        /// By how much the larger is to exceed the other. Default 0.
        pub margin: f32 = 0.0 => Rule::Finite;
    }

    pub static MARGIN_RANKING: LossSpec = {
        name: "margin_ranking",
        aliases: &["MarginRankingLoss"],
        family: Family::Pairs,
        formula: "max(0, −y·(x1 − x2) + margin)",
        notes: "y is 1 where x1 is to be larger, −1 where x2 is",
        source: "PyTorch MarginRankingLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("x1", Shape::Items, Domain::Real),
            Input::differentiable("x2", Shape::Items, Domain::Real),
            SIGN,
            WEIGHT,
        ],
        shader: shader_file!("losses/pairs/margin_ranking.wgsl"),
        reference: Reference::Elementwise(reference::margin_ranking),
    };
}

loss! {
    /// Hinge embedding loss of distances that are given.
    ///
    /// `x` where t is 1, `max(0, margin − x)` where it is −1.
    ///
    /// Inputs `prediction` x ∂ `[*]`, `target` t `[*]`, checked to be −1 or 1, floats or i32, optional `weight` `[*]`.
    /// Source: PyTorch HingeEmbeddingLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HingeEmbedding, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = HingeEmbedding::default().eval(&gpu, &[0.5_f32, 0.25, 2.0], &[1, -1, -1], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 0.5 + 0.75);
    /// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [1.0, -1.0, 0.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct HingeEmbedding {
        /// How far those that do not belong together are to be apart. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
    }

    pub static HINGE_EMBEDDING: LossSpec = {
        name: "hinge_embedding",
        aliases: &["HingeEmbeddingLoss"],
        family: Family::Pairs,
        formula: "x if t = 1, max(0, margin − x) if t = −1",
        notes: "x is usually a distance",
        source: "PyTorch HingeEmbeddingLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("prediction", Shape::Items, Domain::Real),
            Input::label("target", Domain::Sign),
            WEIGHT,
        ],
        shader: shader_file!("losses/pairs/hinge_embedding.wgsl"),
        reference: Reference::Elementwise(reference::hinge_embedding),
    };
}

loss! {
    /// Triplet loss of given triplets: the negative is to be farther from the anchor than the positive.
    ///
    /// `max(0, d(a,p) − d(a,n) + margin)`; with `swap` the smaller of d(a,n) and d(p,n) takes the place of d(a,n), and
    /// where they are equal both share its gradient in halves, as in PyTorch.
    ///
    /// `euclidean` distances are ‖a − b + eps‖₂; the others have no `eps`.
    ///
    /// Inputs `anchor` a ∂, `positive` p ∂ and `negative` n ∂ `[N, D]`, optional `weight` `[N]`. Source: PyTorch
    /// TripletMarginLoss and TripletMarginWithDistanceLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, TripletMargin};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("anchor", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("positive", HostTensor::new(&[0.0_f32, 1.0], [1, 2])?)
    ///     .with("negative", HostTensor::new(&[0.9_f32, 1.2], [1, 2])?);
    /// let result = TripletMargin::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 1.0 - 1.5 + 1.0, epsilon = 1e-5);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TripletMargin {
        /// By how much the negative is to be farther. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// How distances are measured.
        pub distance: Distance = Distance::Euclidean, compiled;
        /// Whether the positive may take the anchor's place beside the negative. Default `false`.
        pub swap: bool = false, compiled;
        /// Added to every difference of a euclidean distance; at least 0. Default 1e-6.
        pub eps: f32 = 1e-6 => Rule::NonNegative;
    }

    pub static TRIPLET_MARGIN: LossSpec = {
        name: "triplet_margin",
        aliases: &["TripletMarginLoss", "TripletMarginWithDistanceLoss", "TripletLoss"],
        family: Family::Pairs,
        formula: "max(0, d(a,p) − d(a,n) + margin)",
        notes: "euclidean ‖a − b + eps‖₂; swap: min(d(a,n), d(p,n)) in place of d(a,n), ties in halves",
        source: "PyTorch TripletMarginLoss",
        driver: Driver::Pairs,
        inputs: &[
            Input::differentiable("anchor", Shape::Embeddings, Domain::Real),
            Input::differentiable("positive", Shape::Embeddings, Domain::Real),
            Input::differentiable("negative", Shape::Embeddings, Domain::Real),
            WEIGHT,
        ],
        shader: shader_file!("losses/pairs/triplet_margin.wgsl"),
        reference: Reference::Pairs(reference::triplet_margin),
    };
}
