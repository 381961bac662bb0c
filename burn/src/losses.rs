//! The losses of the catalogue with types of their own, named and called as Burn's are.

use burn::{config::Config, module::Module, tensor::Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wgloss::{
    Activation, Average, Distance, Divergence, Fallback, FocalForm, Likelihood, PreferenceForm, Scope, SequenceRatio,
    Smoothing, Statistics, Tail, Triplets, losses,
    spec::{LossSpec, Value},
};

use crate::{
    Error, Evaluated, Input, Inputs, IntoReduction, Reduction, config, error::granted, evaluate::try_evaluate,
    launch::OwnLoss,
};

/// Declares losses, one line each: the types of the configuration and of the loss, the entry in the catalogue, its
/// required inputs in order, those with a tensor for each layer in brackets, and its parameters.
macro_rules! losses {
    ($($config:ident $loss:ident $entry:ident $inputs:tt { $($with:ident: $ty:ident),* $(,)? };)+) => {
        $(
            #[doc = concat!("The configuration of [`", stringify!($loss), "`].")]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $config(Vec<Value>);

            impl Config for $config {}

            impl Serialize for $config {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    config::serialize(&losses::$entry, &self.0, serializer)
                }
            }

            impl<'a> Deserialize<'a> for $config {
                fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
                    config::deserialize(&losses::$entry, deserializer).map($config)
                }
            }

            impl $config {
                /// The configuration with every parameter at its default.
                pub fn new() -> Self {
                    $config(losses::$entry.params.iter().map(|param| param.default).collect())
                }

                $(
                    #[doc = concat!("The parameter of that name of [`losses::", stringify!($entry), "`].")]
                    #[must_use]
                    pub fn $with(mut self, value: $ty) -> Self {
                        set(&losses::$entry, &mut self.0, stringify!($with), value.into());
                        self
                    }
                )*

                /// The loss.
                pub fn init(&self) -> $loss {
                    $loss { own: OwnLoss { spec: &losses::$entry, values: self.0.clone() } }
                }
            }

            impl Default for $config {
                fn default() -> Self {
                    Self::new()
                }
            }

            #[doc = concat!("The loss [`losses::", stringify!($entry), "`], whose page has its inputs and parameters.")]
            #[derive(Module, Debug)]
            pub struct $loss {
                #[module(skip)]
                own: OwnLoss,
            }

            impl wgloss::Loss for $loss {
                fn spec(&self) -> &'static LossSpec {
                    self.own.spec
                }

                fn values(&self) -> Vec<Value> {
                    self.own.values.clone()
                }
            }

            impl $loss {
                losses!(@forward $inputs);

                /// The loss of inputs by name, optional ones among them, and what else its kernel finds.
                ///
                /// # Panics
                /// With the text of the error that `try_forward_with` gives.
                #[track_caller]
                pub fn forward_with(
                    &self,
                    inputs: Inputs,
                    reduction: impl IntoReduction,
                    statistics: Statistics,
                ) -> Evaluated {
                    granted(self.try_forward_with(inputs, reduction, statistics))
                }

                /// [`Self::forward_with`] with an error in place of a panic.
                ///
                /// # Errors
                /// Those of [`try_evaluate`].
                pub fn try_forward_with(
                    &self,
                    inputs: Inputs,
                    reduction: impl IntoReduction,
                    statistics: Statistics,
                ) -> Result<Evaluated, Error> {
                    try_evaluate(&self.own, inputs, reduction, statistics)
                }
            }
        )+

        /// The names of the losses that have a type, with their required inputs and their parameters.
        #[cfg(test)]
        const TYPED: &[(&LossSpec, &str, &[&str])] =
            &[$((&losses::$entry, stringify!($inputs), &[$(stringify!($with)),*])),+];
    };
    (@forward ($($input:ident),+)) => {
        losses!(@methods [$($input: impl Into<Input>),+] {
            Inputs::new()$(.with(stringify!($input), $input))+
        } [$($input),+]);
    };
    (@forward [$($input:ident),+]) => {
        losses!(@methods [$($input: impl IntoIterator<Item = impl Into<Input>>),+] {
            Inputs::new()$(.with_layers(stringify!($input), $input))+
        } [$($input),+]);
    };
    (@methods [$($input:ident: $ty:ty),+] { $inputs:expr } [$($name:ident),+]) => {
        /// The reduced loss, `[1]`.
        ///
        /// # Panics
        /// With the text of the error that `try_forward` gives.
        #[track_caller]
        #[allow(clippy::too_many_arguments)]
        pub fn forward(&self, $($input: $ty,)+ reduction: impl IntoReduction) -> Tensor<1> {
            granted(self.try_forward($($name,)+ reduction))
        }

        /// [`Self::forward`] with an error in place of a panic.
        ///
        /// # Errors
        /// Those of [`try_evaluate`].
        #[allow(clippy::too_many_arguments)]
        pub fn try_forward(&self, $($input: $ty,)+ reduction: impl IntoReduction) -> Result<Tensor<1>, Error> {
            try_evaluate(&self.own, $inputs, reduction, Statistics::default())?.try_loss()
        }

        /// The loss of each item.
        ///
        /// # Panics
        /// With the text of the error that `try_forward_no_reduction` gives.
        #[track_caller]
        #[allow(clippy::too_many_arguments)]
        pub fn forward_no_reduction<const D: usize>(&self, $($input: $ty),+) -> Tensor<D> {
            granted(self.try_forward_no_reduction($($name),+))
        }

        /// [`Self::forward_no_reduction`] with an error in place of a panic.
        ///
        /// # Errors
        /// Those of [`try_evaluate`], and [`Error::Rank`] for a loss of another rank.
        #[allow(clippy::too_many_arguments)]
        pub fn try_forward_no_reduction<const D: usize>(&self, $($input: $ty),+) -> Result<Tensor<D>, Error> {
            try_evaluate(&self.own, $inputs, Reduction::None, Statistics::default())?.try_loss()
        }
    };
}

/// Sets the parameter that a method `with_…` is for.
fn set(spec: &LossSpec, values: &mut [Value], with: &str, value: Value) {
    let place = spec.params.iter().position(|param| Some(param.name) == with.strip_prefix("with_"));
    // A test has looked at every method.
    if let Some(found) = place.and_then(|place| values.get_mut(place)) {
        *found = value;
    }
}

losses! {
    MseLossConfig MseLoss MSE (prediction, target) {};
    MaeLossConfig MaeLoss MAE (prediction, target) {};
    HuberLossConfig HuberLoss HUBER (prediction, target) { with_delta: f32 };
    SmoothL1LossConfig SmoothL1Loss SMOOTH_L1 (prediction, target) { with_beta: f32 };
    LogCoshLossConfig LogCoshLoss LOG_COSH (prediction, target) {};
    QuantileLossConfig QuantileLoss QUANTILE (prediction, target) { with_quantile: f32 };
    AsymmetricMseLossConfig AsymmetricMseLoss ASYMMETRIC_MSE (prediction, target) { with_over_penalty: f32 };
    PoissonNllLossConfig PoissonNllLoss POISSON_NLL (prediction, target) {
        with_log_input: bool, with_full: bool, with_eps: f32,
    };
    GaussianNllLossConfig GaussianNllLoss GAUSSIAN_NLL (prediction, target, variance) {
        with_full: bool, with_eps: f32,
    };
    BceLossConfig BceLoss BCE (prediction, target) {};
    BceWithLogitsLossConfig BceWithLogitsLoss BCE_WITH_LOGITS (logits, target) {
        with_pos_weight: f32, with_label_smoothing: f32,
    };
    SigmoidFocalLossConfig SigmoidFocalLoss SIGMOID_FOCAL (logits, target) { with_alpha: f32, with_gamma: f32 };
    HingeLossConfig HingeLoss HINGE (logits, target) {};
    SquaredHingeLossConfig SquaredHingeLoss SQUARED_HINGE (logits, target) {};
    SoftMarginLossConfig SoftMarginLoss SOFT_MARGIN (logits, target) {};
    KlDivLossConfig KlDivLoss KL_DIV (prediction, target) { with_log_target: bool };
    CrossEntropyLossConfig CrossEntropyLoss CROSS_ENTROPY (logits, target) {
        with_label_smoothing: f32, with_smoothing: Smoothing, with_ignore_index: i32, with_z_loss: f32,
        with_softcap: f32, with_entropy_bonus: f32,
    };
    CrossEntropySoftLossConfig CrossEntropySoftLoss CROSS_ENTROPY_SOFT (logits, target_probabilities) {
        with_label_smoothing: f32,
    };
    FocalLossConfig FocalLoss FOCAL (logits, target) { with_alpha: f32, with_gamma: f32, with_ignore_index: i32 };
    NllLossConfig NllLoss NLL (log_probabilities, target) { with_ignore_index: i32 };
    DistillationLossConfig DistillationLoss DISTILLATION (logits, teacher_logits) {
        with_temperature: f32, with_divergence: Divergence, with_ignore_index: i32,
    };
    JensenShannonLossConfig JensenShannonLoss JENSEN_SHANNON (logits, teacher_logits) {
        with_beta: f32, with_temperature: f32, with_scale_by_t2: bool, with_ignore_index: i32,
    };
    JensenShannonTopKLossConfig JensenShannonTopKLoss JENSEN_SHANNON_TOP_K (
        logits, teacher_indices, teacher_log_probs
    ) {
        with_beta: f32, with_temperature: f32, with_scale_by_t2: bool, with_tail: Tail, with_ignore_index: i32,
    };
    TotalVariationLossConfig TotalVariationLoss TOTAL_VARIATION (logits, teacher_logits) { with_temperature: f32 };
    MultiMarginLossConfig MultiMarginLoss MULTI_MARGIN (logits, target) {
        with_margin: f32, with_p: i32, with_ignore_index: i32,
    };
    MultilabelSoftMarginLossConfig MultilabelSoftMarginLoss MULTILABEL_SOFT_MARGIN (logits, target_probabilities) {
        ,
    };
    LogSumExpLossConfig LogSumExpLoss LOG_SUM_EXP (logits) {};
    SoftmaxLossConfig SoftmaxLoss SOFTMAX (logits) {};
    LogSoftmaxLossConfig LogSoftmaxLoss LOG_SOFTMAX (logits) {};
    ContrastiveLossConfig ContrastiveLoss CONTRASTIVE (x1, x2, label) {
        with_margin: f32, with_factor: f32, with_eps: f32,
    };
    CosineEmbeddingLossConfig CosineEmbeddingLoss COSINE_EMBEDDING (x1, x2, label) { with_margin: f32 };
    MarginRankingLossConfig MarginRankingLoss MARGIN_RANKING (x1, x2, label) { with_margin: f32 };
    HingeEmbeddingLossConfig HingeEmbeddingLoss HINGE_EMBEDDING (prediction, target) { with_margin: f32 };
    TripletMarginLossConfig TripletMarginLoss TRIPLET_MARGIN (anchor, positive, negative) {
        with_margin: f32, with_distance: Distance, with_swap: bool, with_eps: f32,
    };
    TripletBatchHardLossConfig TripletBatchHardLoss TRIPLET_BATCH_HARD (embeddings, labels) {
        with_margin: f32, with_distance: Distance, with_soft_margin: bool,
    };
    TripletSemiHardLossConfig TripletSemiHardLoss TRIPLET_SEMI_HARD (embeddings, labels) {
        with_margin: f32, with_distance: Distance, with_fallback: Fallback,
    };
    TripletBatchAllLossConfig TripletBatchAllLoss TRIPLET_BATCH_ALL (embeddings, labels) {
        with_margin: f32, with_distance: Distance, with_triplets: Triplets, with_average: Average,
    };
    InfoNceLossConfig InfoNceLoss INFO_NCE (query, key) {
        with_temperature: f32, with_normalize: bool, with_norm_eps: f32,
    };
    ClipLossConfig ClipLoss CLIP (query, key, logit_scale) { with_norm_eps: f32 };
    NtXentLossConfig NtXentLoss NT_XENT (z_i, z_j) { with_temperature: f32, with_norm_eps: f32 };
    SupConLossConfig SupConLoss SUP_CON (embeddings, labels) { with_temperature: f32, with_norm_eps: f32 };
    DiceLossConfig DiceLoss DICE (prediction, target) {
        with_activation: Activation, with_smooth: f32, with_scope: Scope, with_include_background: bool,
        with_squared: bool, with_ignore_index: i32,
    };
    TverskyLossConfig TverskyLoss TVERSKY (prediction, target) {
        with_activation: Activation, with_smooth: f32, with_scope: Scope, with_include_background: bool,
        with_squared: bool, with_ignore_index: i32, with_alpha: f32, with_beta: f32,
    };
    FocalTverskyLossConfig FocalTverskyLoss FOCAL_TVERSKY (prediction, target) {
        with_activation: Activation, with_smooth: f32, with_scope: Scope, with_include_background: bool,
        with_squared: bool, with_ignore_index: i32, with_alpha: f32, with_beta: f32, with_exponent: f32,
    };
    JaccardLossConfig JaccardLoss JACCARD (prediction, target) {
        with_activation: Activation, with_smooth: f32, with_scope: Scope, with_include_background: bool,
        with_squared: bool, with_ignore_index: i32,
    };
    CeDiceLossConfig CeDiceLoss CE_DICE (prediction, target) {
        with_ce_weight: f32, with_dice_weight: f32, with_activation: Activation, with_smooth: f32,
        with_scope: Scope, with_include_background: bool, with_squared: bool, with_ignore_index: i32,
    };
    FocalDiceLossConfig FocalDiceLoss FOCAL_DICE (prediction, target) {
        with_focal_weight: f32, with_dice_weight: f32, with_alpha: f32, with_gamma: f32,
        with_focal_form: FocalForm, with_activation: Activation, with_smooth: f32, with_scope: Scope,
        with_include_background: bool, with_squared: bool, with_ignore_index: i32,
    };
    IouLossConfig IouLoss IOU (prediction, target) { with_eps: f32 };
    GiouLossConfig GiouLoss GIOU (prediction, target) { with_eps: f32 };
    DiouLossConfig DiouLoss DIOU (prediction, target) { with_eps: f32 };
    CiouLossConfig CiouLoss CIOU (prediction, target) { with_eps: f32 };
    GanDiscriminatorLossConfig GanDiscriminatorLoss GAN_DISCRIMINATOR (real, fake) {};
    GanGeneratorLossConfig GanGeneratorLoss GAN_GENERATOR (fake) { with_saturating: bool };
    LsganDiscriminatorLossConfig LsganDiscriminatorLoss LSGAN_DISCRIMINATOR (real, fake) {};
    LsganGeneratorLossConfig LsganGeneratorLoss LSGAN_GENERATOR (fake) {};
    HingeGanDiscriminatorLossConfig HingeGanDiscriminatorLoss HINGE_GAN_DISCRIMINATOR (real, fake) {};
    HingeGanGeneratorLossConfig HingeGanGeneratorLoss HINGE_GAN_GENERATOR (fake) {};
    WganCriticLossConfig WganCriticLoss WGAN_CRITIC (real, fake) {};
    WganGeneratorLossConfig WganGeneratorLoss WGAN_GENERATOR (fake) {};
    GradientPenaltyLossConfig GradientPenaltyLoss GRADIENT_PENALTY (gradient) {
        with_lambda: f32, with_norm_target: f32,
    };
    GaussianKlLossConfig GaussianKlLoss GAUSSIAN_KL (mu, logvar) {};
    VaeLossConfig VaeLoss VAE (reconstruction, target, mu, logvar) { with_beta: f32, with_likelihood: Likelihood };
    PerceptualLossConfig PerceptualLoss PERCEPTUAL [features, target_features] {};
    StyleLossConfig StyleLoss STYLE [features, target_features] {};
    WeightedSumLossConfig WeightedSumLoss WEIGHTED_SUM (losses, weights) {};
    UncertaintyWeightingLossConfig UncertaintyWeightingLoss UNCERTAINTY_WEIGHTING (losses, log_vars) {};
    LinearCrossEntropyLossConfig LinearCrossEntropyLoss LINEAR_CROSS_ENTROPY (hidden, weight, target) {
        with_label_smoothing: f32, with_smoothing: Smoothing, with_ignore_index: i32, with_z_loss: f32,
        with_softcap: f32, with_entropy_bonus: f32, with_logit_scale: f32, with_temperature: f32, with_shift: i32,
    };
    LinearFocalLossConfig LinearFocalLoss LINEAR_FOCAL (hidden, weight, target) {
        with_alpha: f32, with_gamma: f32, with_ignore_index: i32, with_logit_scale: f32, with_temperature: f32,
        with_shift: i32,
    };
    LinearCrossEntropySoftLossConfig LinearCrossEntropySoftLoss LINEAR_CROSS_ENTROPY_SOFT (
        hidden, weight, target_probabilities
    ) {
        with_label_smoothing: f32, with_logit_scale: f32, with_temperature: f32,
    };
    LinearDistillationLossConfig LinearDistillationLoss LINEAR_DISTILLATION (
        hidden, weight, teacher_hidden, teacher_weight
    ) {
        with_temperature: f32, with_divergence: Divergence, with_ignore_index: i32, with_logit_scale: f32,
    };
    LinearJensenShannonLossConfig LinearJensenShannonLoss LINEAR_JENSEN_SHANNON (
        hidden, weight, teacher_hidden, teacher_weight
    ) {
        with_beta: f32, with_temperature: f32, with_scale_by_t2: bool, with_ignore_index: i32, with_logit_scale: f32,
    };
    NormalizedSoftmaxLossConfig NormalizedSoftmaxLoss NORMALIZED_SOFTMAX (embeddings, weight, target) {
        with_scale: f32, with_ignore_index: i32,
    };
    CosfaceLossConfig CosfaceLoss COSFACE (embeddings, weight, target) {
        with_scale: f32, with_margin: f32, with_ignore_index: i32,
    };
    ArcfaceLossConfig ArcfaceLoss ARCFACE (embeddings, weight, target) {
        with_scale: f32, with_margin: f32, with_ignore_index: i32,
    };
    SubcenterArcfaceLossConfig SubcenterArcfaceLoss SUBCENTER_ARCFACE (embeddings, weight, target) {
        with_scale: f32, with_margin: f32, with_ignore_index: i32,
    };
    ProxyNcaLossConfig ProxyNcaLoss PROXY_NCA (embeddings, weight, labels) {
        with_scale: f32, with_ignore_index: i32,
    };
    LinearTokenLogProbLossConfig LinearTokenLogProbLoss LINEAR_TOKEN_LOG_PROB
        (hidden, weight, target) {
            with_temperature: f32, with_ignore_index: i32, with_logit_scale: f32, with_shift: i32,
        };
    LinearPolicyClipLossConfig LinearPolicyClipLoss LINEAR_POLICY_CLIP
        (hidden, weight, target, advantage) {
            with_eps_low: f32, with_eps_high: f32, with_delta: f32, with_kl: f32, with_kl_correction: bool,
            with_temperature: f32, with_ignore_index: i32, with_logit_scale: f32, with_shift: i32,
        };
    LinearPolicyCispoLossConfig LinearPolicyCispoLoss LINEAR_POLICY_CISPO
        (hidden, weight, target, advantage) {
            with_eps_high: f32, with_kl: f32, with_kl_correction: bool, with_temperature: f32,
            with_ignore_index: i32, with_logit_scale: f32, with_shift: i32,
        };
    LinearPolicySapoLossConfig LinearPolicySapoLoss LINEAR_POLICY_SAPO
        (hidden, weight, target, advantage) {
            with_tau_positive: f32, with_tau_negative: f32, with_kl: f32, with_kl_correction: bool,
            with_temperature: f32, with_ignore_index: i32, with_logit_scale: f32, with_shift: i32,
        };
    LinearPolicySequenceLossConfig LinearPolicySequenceLoss LINEAR_POLICY_SEQUENCE
        (hidden, weight, target, old_log_prob, advantage, offsets) {
            with_ratio: SequenceRatio, with_eps_low: f32, with_eps_high: f32, with_delta: f32, with_temperature: f32,
            with_ignore_index: i32, with_logit_scale: f32,
        };
    LinearPreferenceLossConfig LinearPreferenceLoss LINEAR_PREFERENCE
        (hidden, weight, target, ref_chosen, ref_rejected, offsets) {
            with_form: PreferenceForm, with_beta: f32, with_label_smoothing: f32, with_tau: f32,
            with_ignore_index: i32, with_logit_scale: f32,
        };
    LinearCpoLossConfig LinearCpoLoss LINEAR_CPO
        (hidden, weight, target, offsets) {
            with_beta: f32, with_label_smoothing: f32, with_ignore_index: i32, with_logit_scale: f32,
        };
    LinearSimpoLossConfig LinearSimpoLoss LINEAR_SIMPO
        (hidden, weight, target, offsets) {
            with_beta: f32, with_gamma: f32, with_label_smoothing: f32, with_ignore_index: i32,
            with_logit_scale: f32,
        };
    LinearOrpoLossConfig LinearOrpoLoss LINEAR_ORPO
        (hidden, weight, target, offsets) {
            with_beta: f32, with_ignore_index: i32, with_logit_scale: f32,
        };
    LinearKtoLossConfig LinearKtoLoss LINEAR_KTO
        (hidden, weight, target, ref_log_prob, desirable, kl, offsets) {
            with_beta: f32, with_desirable_weight: f32, with_undesirable_weight: f32, with_ignore_index: i32,
            with_logit_scale: f32,
        };
    TokenLogProbLossConfig TokenLogProbLoss TOKEN_LOG_PROB (logits, target) {
        with_temperature: f32, with_ignore_index: i32,
    };
    PolicyClipLossConfig PolicyClipLoss POLICY_CLIP (log_prob, advantage) {
        with_eps_low: f32, with_eps_high: f32, with_delta: f32, with_kl: f32, with_kl_correction: bool,
    };
    PolicyClipOfLogitsLossConfig PolicyClipOfLogitsLoss POLICY_CLIP_OF_LOGITS (logits, target, advantage) {
        with_eps_low: f32, with_eps_high: f32, with_delta: f32, with_kl: f32, with_kl_correction: bool,
        with_temperature: f32, with_ignore_index: i32,
    };
    PolicyCispoLossConfig PolicyCispoLoss POLICY_CISPO (log_prob, advantage) {
        with_eps_high: f32, with_kl: f32, with_kl_correction: bool,
    };
    PolicyCispoOfLogitsLossConfig PolicyCispoOfLogitsLoss POLICY_CISPO_OF_LOGITS (logits, target, advantage) {
        with_eps_high: f32, with_kl: f32, with_kl_correction: bool, with_temperature: f32, with_ignore_index: i32,
    };
    PolicySapoLossConfig PolicySapoLoss POLICY_SAPO (log_prob, advantage) {
        with_tau_positive: f32, with_tau_negative: f32, with_kl: f32, with_kl_correction: bool,
    };
    PolicySapoOfLogitsLossConfig PolicySapoOfLogitsLoss POLICY_SAPO_OF_LOGITS (logits, target, advantage) {
        with_tau_positive: f32, with_tau_negative: f32, with_kl: f32, with_kl_correction: bool,
        with_temperature: f32, with_ignore_index: i32,
    };
    PolicySequenceLossConfig PolicySequenceLoss POLICY_SEQUENCE (log_prob, old_log_prob, advantage, offsets) {
        with_ratio: SequenceRatio, with_eps_low: f32, with_eps_high: f32, with_delta: f32,
    };
    PolicySequenceOfLogitsLossConfig PolicySequenceOfLogitsLoss POLICY_SEQUENCE_OF_LOGITS
        (logits, target, old_log_prob, advantage, offsets) {
            with_ratio: SequenceRatio, with_eps_low: f32, with_eps_high: f32, with_delta: f32, with_temperature: f32,
            with_ignore_index: i32,
        };
    PpoValueLossConfig PpoValueLoss PPO_VALUE (value, old_value, returns) { with_clip: f32, with_factor: f32 };
    PreferenceLossConfig PreferenceLoss PREFERENCE (chosen, rejected, ref_chosen, ref_rejected) {
        with_form: PreferenceForm, with_beta: f32, with_label_smoothing: f32, with_tau: f32,
    };
    CpoLossConfig CpoLoss CPO (chosen, rejected) { with_beta: f32, with_label_smoothing: f32 };
    SimpoLossConfig SimpoLoss SIMPO (chosen, rejected) {
        with_beta: f32, with_gamma: f32, with_label_smoothing: f32,
    };
    OrpoLossConfig OrpoLoss ORPO (chosen, rejected) { with_beta: f32 };
    KtoLossConfig KtoLoss KTO (log_prob, ref_log_prob, desirable, kl) {
        with_beta: f32, with_desirable_weight: f32, with_undesirable_weight: f32,
    };
    RewardPairLossConfig RewardPairLoss REWARD_PAIR (chosen, rejected) { with_center: f32 };
    PreferenceOfLogitsLossConfig PreferenceOfLogitsLoss PREFERENCE_OF_LOGITS
        (logits, target, ref_chosen, ref_rejected, offsets) {
            with_form: PreferenceForm, with_beta: f32, with_label_smoothing: f32, with_tau: f32,
            with_ignore_index: i32,
        };
    CpoOfLogitsLossConfig CpoOfLogitsLoss CPO_OF_LOGITS (logits, target, offsets) {
        with_beta: f32, with_label_smoothing: f32, with_ignore_index: i32,
    };
    SimpoOfLogitsLossConfig SimpoOfLogitsLoss SIMPO_OF_LOGITS (logits, target, offsets) {
        with_beta: f32, with_gamma: f32, with_label_smoothing: f32, with_ignore_index: i32,
    };
    OrpoOfLogitsLossConfig OrpoOfLogitsLoss ORPO_OF_LOGITS (logits, target, offsets) {
        with_beta: f32, with_ignore_index: i32,
    };
    KtoOfLogitsLossConfig KtoOfLogitsLoss KTO_OF_LOGITS (logits, target, ref_log_prob, desirable, kl, offsets) {
        with_beta: f32, with_desirable_weight: f32, with_undesirable_weight: f32, with_ignore_index: i32,
    };
}

#[cfg(test)]
mod tests {
    use burn::config::config_to_json;

    use super::*;

    #[test]
    fn every_loss_of_the_catalogue_has_a_type_with_all_that_it_has() {
        let typed: Vec<&str> = TYPED.iter().map(|(spec, ..)| spec.name).collect();
        let known: Vec<&str> = losses::ALL.iter().map(|spec| spec.name).collect();
        assert_eq!(typed, known);
        for (spec, inputs, withs) in TYPED {
            let required = spec.inputs.iter().filter(|input| !input.optional);
            let required: Vec<&str> = required.map(|input| input.name.trim_end_matches(".0")).collect();
            let inputs: Vec<&str> = inputs.trim_matches(['(', ')', '[', ']']).split(", ").collect();
            assert_eq!(inputs, required, "{}", spec.name);
            let params: Vec<String> = spec.params.iter().map(|param| format!("with_{}", param.name)).collect();
            assert_eq!(*withs, params, "{}", spec.name);
        }
    }

    #[test]
    fn parameters_are_those_of_the_method() {
        let huber = HuberLossConfig::new().with_delta(0.25).init();
        assert_eq!(wgloss::Loss::values(&huber), [Value::Number(0.25)]);
        let triplet = TripletMarginLossConfig::new().with_distance(Distance::Cosine).with_swap(true).init();
        let values = [Value::Number(1.0), Distance::Cosine.into(), true.into(), Value::Number(1e-6)];
        assert_eq!(wgloss::Loss::values(&triplet), values);
    }

    #[test]
    fn configurations_are_saved_and_loaded_as_burns_are() {
        let config = CrossEntropyLossConfig::new().with_label_smoothing(0.1).with_ignore_index(-1);
        let json = config_to_json(&config);
        assert!(json.contains(r#""label_smoothing": 0.1"#) && json.contains(r#""ignore_index": -1"#), "{json}");
        assert_eq!(CrossEntropyLossConfig::load_binary(json.as_bytes()).unwrap(), config);
        let triplet = TripletMarginLossConfig::new().with_distance(Distance::Cosine).with_swap(true);
        assert_eq!(TripletMarginLossConfig::load_binary(config_to_json(&triplet).as_bytes()).unwrap(), triplet);
        let of = |json: &str| HuberLossConfig::load_binary(json.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(of("{}").unwrap(), HuberLossConfig::new());
        assert_eq!(of(r#"{"delta": 2}"#).unwrap(), HuberLossConfig::new().with_delta(2.0));
        assert!(of(r#"{"detla": 2}"#).unwrap_err().contains("did you mean"));
        assert!(of(r#"{"delta": "far"}"#).unwrap_err().contains("delta"));
        for odd in ["null", "[1]", "{}"] {
            let error = of(&format!(r#"{{"delta": {odd}}}"#)).unwrap_err();
            assert!(error.contains("huber: `delta` must be a number"), "{error}");
        }
    }

    #[test]
    fn losses_are_parts_of_modules() {
        #[derive(Module, Debug)]
        struct Head {
            entropy: CrossEntropyLoss,
        }

        let head = Head { entropy: CrossEntropyLossConfig::new().with_label_smoothing(0.1).init() };
        assert_eq!(head.num_params(), 0);
        assert!(head.to_string().contains("cross_entropy label_smoothing=0.1 smoothing=uniform"), "{head}");
        assert!(head.to_string().len() < 400, "{head}");
        assert_eq!(wgloss::Loss::values(&head.clone().entropy), wgloss::Loss::values(&head.entropy));
    }
}
