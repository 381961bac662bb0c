//! The macro that makes a loss of one declaration.

/// Declares a loss: its struct, its defaults and parameters, its entry in the catalogue, and how both belong together.
///
/// A field is `pub NAME: TYPE = DEFAULT => RULE, compiled;`. It says all that there is to say of a parameter:
///
/// - The type is `f32` or `i32` with a [`Rule`](crate::spec::Rule), `bool`, or a [`Word`](crate::spec::Word), whose
///   default is a variant; the latter two have no rule but their type.
/// - `, compiled` asks for kernels of their own for its values, as [`Param::compiled`](crate::spec::Param) says.
///
/// The static has the fields of a [`LossSpec`](crate::spec::LossSpec), `params` left out. They begin with `name` and
/// `aliases`, which may be left out too, and `family`. A loss without parameters is a `pub struct NAME;`.
///
/// ```
/// use wgloss::{Loss, Reduction, reference::{Item, Term}, spec::*};
///
/// fn cauchy(item: &Item<'_>, values: &Values) -> Term {
///     let (e, scale) = (item["prediction"] - item["target"], values.number("scale"));
///     Term::new(0.5 * scale * scale * (e / scale).powi(2).ln_1p(), [e / (1.0 + (e / scale).powi(2))])
/// }
///
/// wgloss::loss! {
///     /// Cauchy loss, which grows as a logarithm.
///     pub struct Cauchy {
///         /// Where the square turns into a logarithm; above 0.
///         pub scale: f32 = 1.0 => Rule::Positive;
///     }
///
///     pub static CAUCHY: LossSpec = {
///         name: "cauchy",
///         family: Family::Regression,
///         formula: "½·scale²·log1p((e/scale)²)",
///         notes: "",
///         source: "Black and Anandan 1996",
///         driver: Driver::Elementwise,
///         inputs: &[
///             Input::differentiable("prediction", Shape::Items, Domain::Real),
///             Input::constant("target", Shape::Items, Domain::Real),
///             WEIGHT,
///         ],
///         shader: ShaderFile::new(
///             "cauchy.wgsl",
///             "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
///                 let x = (p - t) / params.scale;
///                 return params.scale * vec2<f32>(0.5 * params.scale * log1pf(x * x), x / (1.0 + x * x));
///             }",
///         ),
///         reference: Reference::Elementwise(cauchy),
///     };
/// }
///
/// let gpu = wgloss::Gpu::new_blocking()?;
/// let result = Cauchy { scale: 2.0 }.eval(&gpu, &[3.0_f32], &[1.0_f32], Reduction::Sum)?;
/// approx::assert_abs_diff_eq!(result.loss.item(), 2.0 * 2_f64.ln(), epsilon = 1e-6);
/// # Ok::<(), wgloss::Error>(())
/// ```
///
/// The declaration expands to this:
///
/// ```ignore
/// /// Cauchy loss, which grows as a logarithm.
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// pub struct Cauchy {
///     /// Where the square turns into a logarithm; above 0.
///     pub scale: f32,
/// }
///
/// impl Cauchy {
///     pub(crate) const DEFAULT: Self = Cauchy { scale: 1.0 };
/// }
///
/// impl Default for Cauchy {
///     fn default() -> Self {
///         Self::DEFAULT
///     }
/// }
///
/// /// The entry of [`Cauchy`] in the catalogue.
/// pub static CAUCHY: LossSpec = LossSpec {
///     name: "cauchy",
///     aliases: &[],
///     // …
///     params: &[Param::number("scale", Cauchy::DEFAULT.scale, Rule::Positive)],
/// };
///
/// impl Loss for Cauchy {
///     fn spec(&self) -> &'static LossSpec {
///         &CAUCHY
///     }
///
///     fn values(&self) -> Vec<Value> {
///         vec![self.scale.into()]
///     }
/// }
/// ```
#[macro_export]
macro_rules! loss {
    (
        $(#[$attribute:meta])*
        pub struct $loss:ident;
        pub static $entry:ident: LossSpec = { $($fact:tt)* };
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $loss;

        $crate::loss!(@entry $loss $entry { $($fact)* } { params: &[] } []);
    };
    (
        $(#[$attribute:meta])*
        pub struct $loss:ident {
            $(
                $(#[$of_field:meta])*
                pub $field:ident: $ty:ident = $default:expr $(=> $rule:expr)? $(, $compiled:ident)?;
            )+
        }
        pub static $entry:ident: LossSpec = { $($fact:tt)* };
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $loss { $($(#[$of_field])* pub $field: $ty),+ }

        impl $loss {
            pub(crate) const DEFAULT: Self = $loss { $($field: $default),+ };
        }

        impl ::std::default::Default for $loss {
            fn default() -> Self {
                Self::DEFAULT
            }
        }

        $crate::loss!(@entry $loss $entry { $($fact)* } {
            params: &[$($crate::loss!(@param $ty, $field, $loss::DEFAULT.$field $(, $rule)?) $(.$compiled())?),+]
        } [$($field)+]);
    };
    // Without aliases.
    (@entry $loss:ident $entry:ident { name: $name:expr, family: $($fact:tt)* } $params:tt $fields:tt) => {
        $crate::loss!(@entry $loss $entry { name: $name, aliases: &[], family: $($fact)* } $params $fields);
    };
    (
        @entry $loss:ident $entry:ident
        { $($key:ident: $fact:expr),* $(,)? } { params: $params:expr } [$($field:ident)*]
    ) => {
        #[doc = ::std::concat!("The entry of [`", ::std::stringify!($loss), "`] in the catalogue.")]
        pub static $entry: $crate::spec::LossSpec = $crate::spec::LossSpec { $($key: $fact,)* params: $params };

        impl $crate::Loss for $loss {
            fn spec(&self) -> &'static $crate::spec::LossSpec {
                &$entry
            }

            fn values(&self) -> ::std::vec::Vec<$crate::spec::Value> {
                ::std::vec![$(self.$field.into()),*]
            }
        }
    };
    (@param f32, $name:ident, $default:expr, $rule:expr) => {
        $crate::spec::Param::number(::std::stringify!($name), $default, $rule)
    };
    (@param i32, $name:ident, $default:expr, $rule:expr) => {
        $crate::spec::Param::integer(::std::stringify!($name), $default, $rule)
    };
    (@param bool, $name:ident, $default:expr) => {
        $crate::spec::Param::flag(::std::stringify!($name), $default)
    };
    (@param $word:ident, $name:ident, $default:expr) => {
        $crate::spec::Param::word(::std::stringify!($name), $default.name(), <$word as $crate::spec::Word>::NAMES)
    };
}
