//! The words that parameters take, as types.

use std::fmt;

/// A type whose values are the words of a parameter. [`words!`](crate::words) declares one.
pub trait Word: Copy + Default + PartialEq + fmt::Debug + fmt::Display + 'static {
    /// Every value, in the order in which kernels number them from 0.
    const ALL: &'static [Self];
    /// The names used on the command line, in the same order.
    const NAMES: &'static [&'static str];

    /// The value of that name, if there is one.
    fn find(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|index| Self::ALL[index])
    }
}

/// Declares a [`Word`](crate::spec::Word): an enum whose variants each have a name. A kernel numbers them from 0, and
/// knows the numbers by constants such as `PENALTY_ABSOLUTE` of a parameter `penalty`.
///
/// ```
/// use wgloss::spec::Word;
///
/// wgloss::words! {
///     /// How errors are punished.
///     pub enum Penalty {
///         /// By their square.
///         #[default]
///         Squared = "squared",
///         /// By their magnitude.
///         Absolute = "absolute",
///     }
/// }
///
/// assert_eq!(Penalty::Absolute.name(), "absolute");
/// assert_eq!(Penalty::find("squared"), Some(Penalty::default()));
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[$attribute:meta])*
        pub enum $word:ident { $($(#[$of_variant:meta])* $variant:ident = $name:literal),* $(,)? }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $word { $($(#[$of_variant])* $variant),* }

        impl $word {
            /// The name used on the command line.
            pub const fn name(self) -> &'static str {
                <Self as $crate::spec::Word>::NAMES[self as usize]
            }
        }

        impl $crate::spec::Word for $word {
            const ALL: &'static [Self] = &[$($word::$variant),*];
            const NAMES: &'static [&'static str] = &[$($name),*];
        }

        impl ::std::fmt::Display for $word {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::std::convert::From<$word> for $crate::spec::Value {
            fn from(word: $word) -> Self {
                $crate::spec::Value::Word(word.name())
            }
        }
    };
}

words! {
    /// How far two embeddings a and b are apart.
    ///
    /// ```
    /// use wgloss::{Distance, TripletBatchHard};
    /// let loss = TripletBatchHard { distance: Distance::Cosine, ..TripletBatchHard::default() };
    /// assert_eq!(loss.distance.name(), "cosine");
    /// ```
    pub enum Distance {
        /// ‖a − b‖₂; its gradient at 0 is 0.
        #[default]
        Euclidean = "euclidean",
        /// Σ (a − b)².
        SquaredEuclidean = "squared_euclidean",
        /// 1 − a·b / max(‖a‖·‖b‖, 1e-8). A zero vector is at the distance 1 from everything, and its gradient is 0.
        Cosine = "cosine",
    }
}

words! {
    /// Which classes get the share ε that label smoothing takes from the true one.
    pub enum Smoothing {
        /// All of them, the true one included: ε/C each, as PyTorch does.
        #[default]
        Uniform = "uniform",
        /// The others: ε/(C − 1) each. Needs two classes.
        Others = "others",
    }
}

words! {
    /// How far apart two distributions are: P, the teacher's, and Q, the student's.
    pub enum Divergence {
        /// KL(P ‖ Q) = Σ P·log(P/Q).
        #[default]
        Forward = "forward",
        /// KL(Q ‖ P).
        Reverse = "reverse",
        /// ½·[KL(P ‖ M) + KL(Q ‖ M)] with M = ½·(P + Q).
        JensenShannon = "jensen_shannon",
    }
}

words! {
    /// What becomes of the classes of which a teacher says nothing.
    pub enum Tail {
        /// Nothing: the shares of the others are divided by their sum.
        #[default]
        Renormalize = "renormalize",
        /// They are one outcome together, which has what the others leave.
        Bucket = "bucket",
    }
}

words! {
    /// What makes probabilities of the predictions of a loss of regions.
    ///
    /// Regions that may overlap (organs and lesions in them) take [`Sigmoid`](Activation::Sigmoid), classes of which
    /// each pixel has one take [`Softmax`](Activation::Softmax).
    pub enum Activation {
        /// Nothing: they are probabilities, checked to be in [0, 1].
        #[default]
        None = "none",
        /// The logistic function of each.
        Sigmoid = "sigmoid",
        /// The softmax over the classes.
        Softmax = "softmax",
    }
}

words! {
    /// What makes probabilities of the logits of a loss of regions that has a term of the pixels too.
    pub enum LogitActivation {
        /// The softmax over the classes.
        #[default]
        Softmax = "softmax",
        /// The logistic function of each.
        Sigmoid = "sigmoid",
    }
}

words! {
    /// Which focal loss a pixel has: that of its class among others, or that of each class by itself.
    pub enum FocalForm {
        /// [`Focal`](crate::Focal), of the softmax over the classes.
        #[default]
        Softmax = "softmax",
        /// [`SigmoidFocal`](crate::SigmoidFocal), of each class.
        Sigmoid = "sigmoid",
    }
}

words! {
    /// What one score of a loss of regions is of: what it sums over.
    ///
    /// Shapes are those of the scores with [`Reduction::None`](crate::Reduction::None). With `include_background` =
    /// false, C is one less.
    ///
    /// ```
    /// # use wgloss::{Dice, Gpu, HostTensor, Loss, Reduction, Scope};
    /// # let gpu = Gpu::new_blocking()?;
    /// // Two samples of two classes at three pixels each.
    /// let prediction = HostTensor::new(&[1.0_f32, 0.5, 0.0, 0.0, 0.5, 1.0, 0.5, 0.5, 0.0, 0.5, 0.5, 1.0], [2, 2, 3])?;
    /// let target = HostTensor::new(&[0, 0, 1, 1, 0, 1], [2, 3])?;
    /// for (scope, shape) in [
    ///     (Scope::All, vec![]),
    ///     (Scope::Class, vec![2]),
    ///     (Scope::SampleClass, vec![2, 2]),
    ///     (Scope::Sample, vec![2]),
    /// ] {
    ///     let result = Dice { scope, ..Dice::default() }.eval(&gpu, &prediction, &target, Reduction::None)?;
    ///     assert_eq!(result.loss.shape(), shape);
    /// }
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub enum Scope {
        /// Everything: one score.
        #[default]
        All = "all",
        /// A class, over the whole batch: `[C]` scores.
        Class = "class",
        /// A class of a sample: `[N, C]` scores.
        SampleClass = "sample_class",
        /// A sample, over its classes: `[N]` scores.
        Sample = "sample",
    }
}

impl Scope {
    /// Whether each class has scores of its own.
    pub const fn is_per_class(self) -> bool {
        matches!(self, Scope::Class | Scope::SampleClass)
    }

    /// Whether each sample has scores of its own.
    pub const fn is_per_sample(self) -> bool {
        matches!(self, Scope::Sample | Scope::SampleClass)
    }
}

words! {
    /// What becomes of an anchor and a positive without a negative farther than the positive.
    pub enum Fallback {
        /// The pair does not count.
        #[default]
        None = "none",
        /// The farthest negative takes its place.
        Farthest = "farthest",
    }
}

words! {
    /// Which triplets of an anchor a, a positive p and a negative n are selected.
    pub enum Triplets {
        /// All of them.
        #[default]
        All = "all",
        /// Triplets with 0 < d(a,n) − d(a,p) ≤ margin.
        SemiHard = "semi_hard",
        /// Triplets with d(a,n) ≤ d(a,p).
        Hard = "hard",
    }
}

words! {
    /// Which of the selected triplets count.
    pub enum Average {
        /// Triplets with a loss above 0.
        #[default]
        Active = "active",
        /// All of them.
        All = "all",
    }
}

words! {
    /// What a discriminator or critic plays for: its loss of a score.
    pub enum Game {
        /// softplus of the score, or of its negative where it is of something real: of a GAN.
        #[default]
        Logistic = "logistic",
        /// Half the square of how far the score is from 1 or 0.
        Squared = "squared",
        /// How far the score is from its margin.
        Hinge = "hinge",
        /// The score, or its negative where it is of something real: of Wasserstein's critic.
        Linear = "linear",
    }
}

words! {
    /// How well a variational autoencoder's reconstruction fits.
    pub enum Likelihood {
        /// Of probabilities: [`Bce`](crate::Bce).
        #[default]
        Bce = "bce",
        /// Of logits: [`BceWithLogits`](crate::BceWithLogits).
        BceWithLogits = "bce_with_logits",
        /// Of values: [`Mse`](crate::Mse).
        Mse = "mse",
    }
}

words! {
    /// How a policy learns that one answer is preferred to another: which loss of what each gains on the reference.
    /// [`Preference`](crate::Preference) has the formulas.
    pub enum PreferenceForm {
        /// DPO: Rafailov et al. 2023; with label smoothing cDPO.
        #[default]
        Sigmoid = "sigmoid",
        /// SLiC: Zhao et al. 2023.
        Hinge = "hinge",
        /// IPO: Azar et al. 2023.
        Ipo = "ipo",
        /// EXO: Ji et al. 2024.
        Exo = "exo",
        /// NCA: Chen et al. 2024.
        Nca = "nca",
        /// Robust DPO: Chowdhury et al. 2024.
        Robust = "robust",
        /// BCO: Jung et al. 2024, of pairs.
        Bco = "bco",
        /// SPPO: Wu et al. 2024, with hard labels.
        Sppo = "sppo",
        /// APO: D'Oosterlinck et al. 2024, for answers better than the policy's.
        ApoZero = "apo_zero",
        /// APO for answers worse than the policy's.
        ApoDown = "apo_down",
        /// DiscoPOP: Lu et al. 2024.
        Discopop = "discopop",
        /// DPO of means in place of sums.
        SigmoidNorm = "sigmoid_norm",
    }
}

words! {
    /// What a sequence of tokens has of the logarithms of their ratios.
    pub enum SequenceRatio {
        /// Their mean: GSPO.
        #[default]
        Mean = "mean",
        /// Their sum: RLOO.
        Sum = "sum",
    }
}
