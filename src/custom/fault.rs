//! What may be wrong with a loss that is made while the program runs.

use crate::spec::Rule;

/// What is wrong with a [`CustomLoss`](crate::CustomLoss), before anything is compiled for a device. A `location` is
/// file, line and column of the WGSL.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CustomFault {
    /// Its name is no identifier.
    #[error("its name must be letters, digits and underscores, with no digit first")]
    Name,
    /// The catalogue has a loss of its name.
    #[error("the catalogue has a loss of this name")]
    BuiltIn,
    /// Its WGSL ends within something, which what it is joined to would go on with.
    #[error("{location}: this `{sign}` is never closed")]
    Unclosed {
        /// Where it begins.
        location: String,
        /// A bracket, or the begin of a comment.
        sign: String,
    },
    /// A statement is longer than compilers take: they go down into it word by word.
    #[error("{location}: {what} is too long; at most {most} words are taken")]
    TooLong {
        /// Where it begins.
        location: String,
        /// A statement, or what follows an `if`.
        what: &'static str,
        /// How many words it may have.
        most: usize,
    },
    /// Its WGSL lacks a function that its driver calls.
    #[error("{file}: there is no `{signature}`")]
    MissingHook {
        /// What messages call the WGSL.
        file: String,
        /// The function as it is called.
        signature: String,
    },
    /// The WGSL has what only a whole shader may have.
    #[error("{location}: `{sign}` is for whole shaders; a loss declares functions, constants, structs and aliases")]
    WholeShader {
        /// Where it stands.
        location: String,
        /// A directive, an attribute, a declaration, or a function that lanes call together.
        sign: String,
    },
    /// A function has other arguments or another result than its driver calls it with.
    #[error("{location}: `{hook}` must be `{signature}`")]
    Signature {
        /// Where it is declared.
        location: String,
        /// The function.
        hook: &'static str,
        /// The function as it is called.
        signature: String,
    },
    /// The WGSL declares a name that means something else already, which others use.
    #[error("{location}: `{name}` is taken, by {by}; call it something else")]
    Redefined {
        /// Where it is declared.
        location: String,
        /// The name.
        name: String,
        /// What has the name: a file of wgloss, or WGSL itself.
        by: String,
    },
    /// The WGSL reads a parameter that is not declared.
    #[error("{location}: no parameter is called `{parameter}`; declared are {}", listed(known))]
    UndeclaredParameter {
        /// Where it is read.
        location: String,
        /// The parameter.
        parameter: String,
        /// The parameters that are declared.
        known: Vec<String>,
    },
    /// A parameter's name is no identifier of WGSL, or another parameter has it.
    #[error("no parameter can be called `{parameter}`: {rule}")]
    ParameterName {
        /// The parameter.
        parameter: String,
        /// The rule that the name breaks.
        rule: &'static str,
    },
    /// A parameter's default breaks its rule.
    #[error("parameter `{parameter}` must be {rule}, its default is {found}")]
    Default {
        /// The parameter.
        parameter: String,
        /// The values that it may have.
        rule: Rule,
        /// The default given.
        found: String,
    },
    /// An input is one that the driver does not take.
    #[error("input `{input}`: {rule}")]
    Input {
        /// The input.
        input: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A comment that is to declare something does not.
    #[error("{location}: expected {expected}")]
    Annotation {
        /// The comment.
        location: String,
        /// How it may be written.
        expected: &'static str,
    },
}

/// Names as a list.
fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}
