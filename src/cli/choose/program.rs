//! What to run for a loss that is recommended: a program, and a line of the command.

use super::tree::{Choice, Numbers, Pick, Sample};

/// The widest line of a program.
const WIDTH: usize = 120;

/// A whole program in Rust that evaluates the loss for its smallest example.
pub fn rust(pick: &Pick) -> String {
    let mut names = vec!["Gpu", "HostTensor", "Loss", "Named", "Reduction", pick.choice.type_name];
    // The types of words, such as `Scope` of `Scope::Class`.
    names.extend(pick.choice.fields.iter().filter_map(|(_, value)| value.split_once("::")).map(|(name, _)| name));
    names.sort_unstable();
    names.dedup();

    let inputs: Vec<String> = pick.form.inputs.iter().map(|sample| format!("        {}", input(sample))).collect();
    format!(
        "use wgloss::{{{names}}};\n\
         \n\
         fn main() -> Result<(), wgloss::Error> {{\n\
         {I}let gpu = Gpu::new_blocking()?;\n\
         {I}let loss = {loss};\n\
         {I}let inputs = Named::<HostTensor>::new()\n\
         {inputs};\n\
         {I}let result = loss.eval_with(&gpu, &inputs, Reduction::{reduction:?})?;\n\
         {I}println!(\"loss {{}} of {{}} items\", result.loss.item(), result.items);\n\
         {I}for (name, gradient) in result.gradients.iter() {{\n\
         {I}{I}println!(\"grad.{{name}} {{:?}}\", gradient.to_f64());\n\
         {I}}}\n\
         {I}Ok(())\n\
         }}",
        names = names.join(", "),
        loss = expression(&pick.choice),
        inputs = inputs.join("\n"),
        reduction = pick.reduction,
        I = "    ",
    )
}

/// The line that evaluates the loss for the tensors of a file.
pub fn eval_line(pick: &Pick) -> String {
    let set = pick.settings().into_iter().map(|(name, value)| format!(" --set {name}={value}"));
    format!(
        "wgloss eval {} --input batch.safetensors --reduction {}{}",
        pick.spec().name,
        pick.reduction,
        set.collect::<String>()
    )
}

/// The loss as a program makes it.
fn expression(choice: &Choice) -> String {
    let Choice { type_name, fields, has_defaults, .. } = choice;
    let rest = has_defaults.then(|| format!("{type_name}::default()"));
    if fields.is_empty() {
        return rest.unwrap_or_else(|| (*type_name).to_string());
    }
    let set = fields.iter().map(|(name, value)| format!("{name}: {value}"));
    let parts: Vec<String> = set.chain(rest.map(|rest| format!("..{rest}"))).collect();
    let in_one_line = format!("{type_name} {{ {} }}", parts.join(", "));
    if "    let loss = ;".len() + in_one_line.len() <= WIDTH {
        return in_one_line;
    }
    // A comma behind each field, and none behind the defaults.
    format!("{type_name} {{\n        {}\n    }}", parts.join(",\n        "))
}

fn input(sample: &Sample) -> String {
    let numbers = match sample.numbers {
        Numbers::Floats(values) => {
            let texts: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
            texts.join(", ").replacen(&texts[0], &format!("{}_f32", texts[0]), 1)
        }
        Numbers::Indices(values) => values.iter().map(i32::to_string).collect::<Vec<_>>().join(", "),
    };
    match sample.shape {
        [_] => format!(".with(\"{}\", &[{numbers}])", sample.name),
        shape => format!(".with(\"{}\", HostTensor::new(&[{numbers}], {shape:?})?)", sample.name),
    }
}
