//! Metric learning over a whole batch: every embedding is compared with every other, and no N×N matrix is kept.
//!
//! What the losses have in common:
//!
//! - Embeddings are rows `[N, D]`. An *anchor* is a row that is compared with all others. Its positives are the rows
//!   that belong to it, its negatives the rest; it is neither itself.
//! - Memory grows with N·D: values of pairs live in a panel of some anchors at a time.
//! - Where two rows are equally far, the one of the lower index is chosen.
//! - The gradient of a euclidean distance at 0 is 0. A zero vector has no direction: normalised it is 0, its cosine
//!   with anything is 0, and its gradient through both is 0.
//! - An embedding with NaN or infinity, or one whose squares overflow f32, makes the losses of all anchors that it is
//!   compared with NaN, and their gradients.

use crate::{
    loss, reference,
    spec::{
        AllPairs, Anchors, Distance, Domain, Driver, Family, Input, Kind, Reference, Relation, Rule, Shape, WEIGHT,
        shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::{Average, Fallback, Triplets};

const EMBEDDINGS: Input = Input::differentiable("embeddings", Shape::Embeddings, Domain::Real);
const LABELS: Input = Input { kind: Kind::Index, ..Input::constant("labels", Shape::Items, Domain::Label) };
const QUERY: Input = Input::differentiable("query", Shape::Embeddings, Domain::Real);
const KEY: Input = Input::differentiable("key", Shape::Embeddings, Domain::Real);

loss! {
    /// The triplet loss of each anchor's hardest positive and hardest negative.
    ///
    /// `h(max_p d(a,p) − min_n d(a,n))` over the positives p and the negatives n of an anchor a, with
    /// `h(x) = max(0, x + margin)`, or `softplus(x)` with `soft_margin`.
    ///
    /// Items are anchors, `[N]` with [`Reduction::None`](crate::Reduction::None); those that have a positive and a
    /// negative count. [`Statistics::hardest`](crate::Statistics) gives the rows mined.
    ///
    /// Inputs `embeddings` ∂ `[N, D]`, `labels` `[N]`, i32, optional `weight` `[N]`. Source: Hermans et al. 2017, arXiv
    /// 1703.07737.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, TripletBatchHard};
    /// # let gpu = Gpu::new_blocking()?;
    /// // Points on a line: for the first two anchors d(a,p) = 1, and d(a,n) = 4 and 3.
    /// let embeddings = HostTensor::new(&[0.0_f32, 1.0, 4.0], [3, 1])?;
    /// let loss = TripletBatchHard { margin: 2.5, ..TripletBatchHard::default() };
    /// let result = loss.eval(&gpu, embeddings, &[7, 7, 8], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.25, epsilon = 1e-6);
    /// assert_eq!(result.items, 2);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TripletBatchHard {
        /// By how much negatives are to be farther than positives. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// How distances are measured.
        pub distance: Distance = Distance::Euclidean, compiled;
        /// Whether softplus takes the place of the hinge with its margin. Default `false`.
        pub soft_margin: bool = false;
    }

    pub static TRIPLET_BATCH_HARD: LossSpec = {
        name: "triplet_batch_hard",
        aliases: &["BatchHardTripletLoss", "TripletHardLoss"],
        family: Family::MetricLearning,
        formula: "h(max_p d(a,p) − min_n d(a,n)), h(x) = max(0, x + margin)",
        notes: "soft_margin: h = softplus; anchors with a positive and a negative count",
        source: "Hermans et al. 2017, arXiv 1703.07737",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Labelled, anchors: Anchors::Hardest }),
        inputs: &[EMBEDDINGS, LABELS, WEIGHT],
        shader: shader_file!("losses/metric_learning/triplet_batch_hard.wgsl"),
        reference: Reference::AllPairs(reference::triplet_batch_hard),
    };
}

loss! {
    /// The triplet loss of every anchor and positive with the nearest negative that is farther than the positive.
    ///
    /// `max(0, d(a,p) − d(a,n) + margin)` for every pair of an anchor a and one of its positives p, with the nearest
    /// negative n of those with `d(a,n) > d(a,p)`.
    ///
    /// Items are pairs (a, p); those that have such a negative count. With `fallback` [`Fallback::Farthest`] the others
    /// take their farthest negative and count too. No list of the pairs is kept, so
    /// [`Reduction::None`](crate::Reduction::None) is [`Error::ItemsReduction`](crate::Error::ItemsReduction).
    ///
    /// Inputs `embeddings` ∂ `[N, D]`, `labels` `[N]`, i32. Source: Schroff et al. 2015 (FaceNet), arXiv 1503.03832;
    /// TensorFlow Addons TripletSemiHardLoss with `fallback` [`Fallback::Farthest`].
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, TripletSemiHard};
    /// # let gpu = Gpu::new_blocking()?;
    /// // The first anchor has d(a,p) = 1 and negatives at 0.5 and 1.75, the second at 0.5 and 0.75 alone.
    /// let embeddings = HostTensor::new(&[0.0_f32, 1.0, 0.5, 1.75], [4, 1])?;
    /// let result = TripletSemiHard::default().eval(&gpu, embeddings, &[0, 0, 1, 2], Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.25, epsilon = 1e-6);
    /// assert_eq!(result.items, 1);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TripletSemiHard {
        /// By how much negatives are to be farther than positives. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// How distances are measured.
        pub distance: Distance = Distance::Euclidean, compiled;
        /// What becomes of pairs without such a negative.
        pub fallback: Fallback = Fallback::None;
    }

    pub static TRIPLET_SEMI_HARD: LossSpec = {
        name: "triplet_semi_hard",
        aliases: &["TripletSemiHardLoss", "SemiHardTripletLoss"],
        family: Family::MetricLearning,
        formula: "max(0, d(a,p) − d(a,n) + margin), n the nearest negative with d(a,n) > d(a,p)",
        notes: "items are pairs (a, p); fallback=farthest: pairs without such a negative take their farthest",
        source: "Schroff et al. 2015, arXiv 1503.03832; TensorFlow Addons TripletSemiHardLoss",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Labelled, anchors: Anchors::Sorted }),
        inputs: &[EMBEDDINGS, LABELS],
        shader: shader_file!("losses/metric_learning/triplet_semi_hard.wgsl"),
        reference: Reference::AllPairs(reference::triplet_semi_hard),
    };
}

loss! {
    /// The triplet loss of all triplets.
    ///
    /// `max(0, d(a,p) − d(a,n) + margin)` for every anchor a, each of its positives p and each of its negatives n, or
    /// for those that [`Triplets`] selects.
    ///
    /// Items are triplets; `average` says which count. The time is O(N² log N): each anchor's distances are sorted
    /// once. No list of the triplets is kept, so [`Reduction::None`](crate::Reduction::None) is
    /// [`Error::ItemsReduction`](crate::Error::ItemsReduction). Their count is exact, beyond 2³² too.
    ///
    /// Inputs `embeddings` ∂ `[N, D]`, `labels` `[N]`, i32. Source: Hermans et al. 2017, arXiv 1703.07737;
    /// pytorch-metric-learning TripletMarginLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, TripletBatchAll};
    /// # let gpu = Gpu::new_blocking()?;
    /// // Points on a line: d(a,p) − d(a,n) + 2.5 is 1 − 4 + 2.5 and 1 − 3 + 2.5.
    /// let embeddings = HostTensor::new(&[0.0_f32, 1.0, 4.0], [3, 1])?;
    /// let loss = TripletBatchAll { margin: 2.5, ..TripletBatchAll::default() };
    /// let result = loss.eval(&gpu, embeddings, &[7, 7, 8], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5, epsilon = 1e-6);
    /// assert_eq!(result.items, 1);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TripletBatchAll {
        /// By how much negatives are to be farther than positives. Default 1.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// How distances are measured.
        pub distance: Distance = Distance::Euclidean, compiled;
        /// Which triplets are selected.
        pub triplets: Triplets = Triplets::All;
        /// Which of these count.
        pub average: Average = Average::Active;
    }

    pub static TRIPLET_BATCH_ALL: LossSpec = {
        name: "triplet_batch_all",
        aliases: &["BatchAllTripletLoss"],
        family: Family::MetricLearning,
        formula: "max(0, d(a,p) − d(a,n) + margin) of all triplets",
        notes: "items are triplets; triplets=semi_hard: 0 < d(a,n) − d(a,p) ≤ margin, hard: d(a,n) ≤ d(a,p); \
                average=active: those with a loss above 0 count, all: every one selected",
        source: "Hermans et al. 2017, arXiv 1703.07737; pytorch-metric-learning TripletMarginLoss",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Labelled, anchors: Anchors::Sorted }),
        inputs: &[EMBEDDINGS, LABELS],
        shader: shader_file!("losses/metric_learning/triplet_batch_all.wgsl"),
        reference: Reference::AllPairs(reference::triplet_batch_all),
    };
}

loss! {
    /// InfoNCE: which key belongs to a query?
    ///
    /// `−log softmax_j(q_i·k_j/τ)` at j = i, with the temperature τ. With `normalize` queries and keys are divided by
    /// max(‖x‖, `norm_eps`) first, and the gradient is that through the division.
    ///
    /// Items are queries; all count. Inputs `query` ∂ `[N, D]`, `key` ∂ `[N, D]`, optional `weight` `[N]`. Source: van
    /// den Oord et al. 2018, arXiv 1807.03748.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, InfoNce, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let query = HostTensor::new(&[1.0_f32, 0.0, 0.0, 2.0], [2, 2])?;
    /// let loss = InfoNce { temperature: 0.5, ..InfoNce::default() };
    /// let result = loss.eval(&gpu, query.view(), query.view(), Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (-2_f64).exp().ln_1p(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct InfoNce {
        /// What similarities are divided by; above 0. Default 0.07.
        pub temperature: f32 = 0.07 => Rule::Positive;
        /// Whether embeddings are brought to unit length first. Default `true`.
        pub normalize: bool = true, compiled;
        /// What rows shorter than it are divided by in place of their length; above 0. Default 1e-12.
        pub norm_eps: f32 = 1e-12 => Rule::Positive;
    }

    pub static INFO_NCE: LossSpec = {
        name: "info_nce",
        aliases: &["InfoNCELoss"],
        family: Family::MetricLearning,
        formula: "−log softmax_j(q_i·k_j/τ) at j = i",
        notes: "τ is temperature; normalize: q and k are brought to unit length first",
        source: "van den Oord et al. 2018, arXiv 1807.03748",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Paired, anchors: Anchors::Softmax }),
        inputs: &[QUERY, KEY, WEIGHT],
        shader: shader_file!("losses/metric_learning/info_nce.wgsl"),
        reference: Reference::AllPairs(reference::info_nce),
    };
}

loss! {
    /// CLIP: which text belongs to an image, and which image to a text?
    ///
    /// The mean of [`InfoNce`] of `query` and `key`, and of `key` and `query`, both of unit length, with 1/τ =
    /// exp(`logit_scale`), which is learnt too.
    ///
    /// Items are pairs (q_i, k_i), each with the mean of its two losses; all count. Inputs `query` ∂ `[N, D]`, `key` ∂
    /// `[N, D]`, `logit_scale` ∂, one value of any shape, optional `weight` `[N]`. Source: Radford et al. 2021, arXiv
    /// 2103.00020.
    ///
    /// ```
    /// # use wgloss::{Clip, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let image = HostTensor::new(&[1.0_f32, 0.0, 0.0, 2.0], [2, 2])?;
    /// let logit_scale = [2_f32.ln()];
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("query", image.view())
    ///     .with("key", image.view())
    ///     .with("logit_scale", &logit_scale);
    /// let result = Clip::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (-2_f64).exp().ln_1p(), epsilon = 1e-6);
    /// assert!(result.gradients.get("logit_scale").unwrap().item() < 0.0);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Clip {
        /// What rows shorter than it are divided by in place of their length; above 0. Default 1e-12.
        pub norm_eps: f32 = 1e-12 => Rule::Positive;
    }

    pub static CLIP: LossSpec = {
        name: "clip",
        aliases: &["CLIPLoss"],
        family: Family::MetricLearning,
        formula: "½(info_nce(q, k) + info_nce(k, q)), 1/τ = exp(logit_scale)",
        notes: "q and k are brought to unit length first",
        source: "Radford et al. 2021, arXiv 2103.00020",
        driver: Driver::AllPairs(AllPairs { relation: Relation::PairedBothWays, anchors: Anchors::Softmax }),
        inputs: &[QUERY, KEY, Input::differentiable("logit_scale", Shape::Scalar, Domain::LogScale), WEIGHT],
        shader: shader_file!("losses/metric_learning/clip.wgsl"),
        reference: Reference::AllPairs(reference::clip),
    };
}

loss! {
    /// NT-Xent: which of all rows is the other view of the same sample?
    ///
    /// `−log exp(s_{i,pos}/τ) / Σ_{k≠i} exp(s_ik/τ)` for each of the 2N rows of `[z_i; z_j]`, brought to unit length,
    /// with the similarities s = z·zᵀ and the temperature τ. The positive of row i is row i + N, and the other way
    /// round.
    ///
    /// Items are rows, `[2N]` with [`Reduction::None`](crate::Reduction::None), those of `z_i` first; all count. Inputs
    /// `z_i` ∂ `[N, D]`, `z_j` ∂ `[N, D]`, optional `weight` `[2N]`. Source: Chen et al. 2020 (SimCLR), arXiv
    /// 2002.05709.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, NtXent, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // Both views of a sample are alike, and at right angles to the other's: log((e² + 2)/e²).
    /// let z = HostTensor::new(&[1.0_f32, 0.0, 0.0, 2.0], [2, 2])?;
    /// let result = NtXent::default().eval(&gpu, z.view(), z.view(), Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (2.0 * (-2_f64).exp()).ln_1p(), epsilon = 1e-6);
    /// assert_eq!(result.items, 4);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct NtXent {
        /// What similarities are divided by; above 0. Default 0.5.
        pub temperature: f32 = 0.5 => Rule::Positive;
        /// What rows shorter than it are divided by in place of their length; above 0. Default 1e-12.
        pub norm_eps: f32 = 1e-12 => Rule::Positive;
    }

    pub static NT_XENT: LossSpec = {
        name: "nt_xent",
        aliases: &["NTXentLoss", "SimCLRLoss"],
        family: Family::MetricLearning,
        formula: "−log exp(s_{i,pos}/τ) / Σ_{k≠i} exp(s_ik/τ)",
        notes: "2N rows [z_i; z_j] of unit length, τ is temperature",
        source: "Chen et al. 2020, arXiv 2002.05709",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Views, anchors: Anchors::Softmax }),
        inputs: &[
            Input::differentiable("z_i", Shape::Embeddings, Domain::Real),
            Input::differentiable("z_j", Shape::Embeddings, Domain::Real),
            WEIGHT,
        ],
        shader: shader_file!("losses/metric_learning/nt_xent.wgsl"),
        reference: Reference::AllPairs(reference::nt_xent),
    };
}

loss! {
    /// Supervised contrastive loss: which rows have the anchor's label?
    ///
    /// `−1/|P(i)| Σ_{p∈P(i)} log exp(s_ip/τ) / Σ_{k≠i} exp(s_ik/τ)` for each row i and its positives P(i), the other
    /// rows of its label, with the similarities s of rows brought to unit length and the temperature τ.
    ///
    /// Items are anchors, `[N]` with [`Reduction::None`](crate::Reduction::None); those with a positive count. Inputs
    /// `embeddings` ∂ `[N, D]`, `labels` `[N]`, i32, optional `weight` `[N]`. Source: Khosla et al. 2020, arXiv
    /// 2004.11362, L_out.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, SupCon};
    /// # let gpu = Gpu::new_blocking()?;
    /// let embeddings = HostTensor::new(&[1.0_f32, 0.0, 3.0, 0.0, 0.0, 1.0], [3, 2])?;
    /// let loss = SupCon { temperature: 0.5, ..SupCon::default() };
    /// let result = loss.eval(&gpu, embeddings, &[5, 5, 9], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (-2_f64).exp().ln_1p(), epsilon = 1e-6);
    /// assert_eq!(result.items, 2);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SupCon {
        /// What similarities are divided by; above 0. Default 0.07.
        pub temperature: f32 = 0.07 => Rule::Positive;
        /// What rows shorter than it are divided by in place of their length; above 0. Default 1e-12.
        pub norm_eps: f32 = 1e-12 => Rule::Positive;
    }

    pub static SUP_CON: LossSpec = {
        name: "sup_con",
        aliases: &["SupConLoss", "SupervisedContrastiveLoss"],
        family: Family::MetricLearning,
        formula: "−1/|P(i)| Σ_{p∈P(i)} log exp(s_ip/τ) / Σ_{k≠i} exp(s_ik/τ)",
        notes: "rows of unit length, τ is temperature; anchors with a positive count",
        source: "Khosla et al. 2020, arXiv 2004.11362",
        driver: Driver::AllPairs(AllPairs { relation: Relation::Labelled, anchors: Anchors::Softmax }),
        inputs: &[EMBEDDINGS, LABELS, WEIGHT],
        shader: shader_file!("losses/metric_learning/sup_con.wgsl"),
        reference: Reference::AllPairs(reference::sup_con),
    };
}
