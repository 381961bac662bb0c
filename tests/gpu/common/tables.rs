//! Reads the tables of other libraries' own tests (see `tests/golden/README.md`).

use std::iter;

use serde_json::{Map, Value as Json};
use wgloss::{AnyLoss, DType, HostTensor, Named, Reduction};

/// A call, and the loss that a test of another library states for it.
pub struct Row {
    /// Library, version, file and test.
    pub name: String,
    pub loss: AnyLoss,
    pub reduction: Reduction,
    pub inputs: Named<HostTensor<'static>>,
    /// How many times theirs the loss here is: what their mean divides by besides.
    pub per: f64,
    pub expected: Vec<Stated>,
}

/// A number with the digits that are stated.
#[derive(Debug, PartialEq)]
pub struct Stated {
    pub value: f64,
    /// One in the last digit, as some are cut off rather than rounded, but no less than f32 can tell; or what the row
    /// says.
    pub tolerance: f64,
}

/// Every row of the file.
pub fn rows() -> Vec<Row> {
    let files: Vec<Json> = serde_json::from_str(include_str!("../../golden/tables.json")).unwrap();
    files.into_iter().flat_map(rows_of_file).collect()
}

fn rows_of_file(file: Json) -> Vec<Row> {
    let mut fields = Fields::of(file, "a file of tests");
    let [project, version, _commit, path] =
        ["project", "version", "commit", "file"].map(|field| string(&fields.take(field)));
    let cases = fields.take("cases");
    fields.expect_no_more();
    cases.as_array().unwrap().iter().map(|case| row(case.clone(), &format!("{project} {version}, {path}"))).collect()
}

fn row(case: Json, file: &str) -> Row {
    let mut fields = Fields::of(case, file);
    let name = format!("{file}, {}", string(&fields.take("test")));
    fields.what.clone_from(&name);
    let (loss, reduction) = (string(&fields.take("loss")), string(&fields.take("reduction")));
    let settings = fields.optional("settings").unwrap_or_else(|| Json::Object(Map::new()));
    let [per, within] = ["per", "within"].map(|field| fields.optional(field).map(|number| number.as_f64().unwrap()));
    let (inputs, expected) = (fields.take("inputs"), fields.take("expected"));
    fields.expect_no_more();
    let mut expected: Vec<_> =
        expected.as_array().unwrap().iter().map(|number| Stated::from(number.as_str().unwrap())).collect();
    if let Some(within) = within {
        for stated in &mut expected {
            assert!(within > stated.tolerance, "{name}: within says less than the digits");
            stated.tolerance = within;
        }
    }

    let settings: Vec<_> =
        settings.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
    Row {
        loss: AnyLoss::new(&loss, &settings).unwrap_or_else(|error| panic!("{name}: {error}")),
        reduction: reduction.parse().unwrap_or_else(|error| panic!("{name}: {error}")),
        inputs: inputs.as_object().unwrap().iter().map(|(input, json)| (input.clone(), tensor(json))).collect(),
        per: per.unwrap_or(1.0),
        expected,
        name,
    }
}

/// The fields of an object, each of which has to be taken.
struct Fields {
    what: String,
    rest: Map<String, Json>,
}

impl Fields {
    fn of(json: Json, what: &str) -> Fields {
        match json {
            Json::Object(rest) => Fields { what: what.to_string(), rest },
            other => panic!("{what}: {other} is no object"),
        }
    }

    fn take(&mut self, field: &str) -> Json {
        self.optional(field).unwrap_or_else(|| panic!("{} has no {field}", self.what))
    }

    fn optional(&mut self, field: &str) -> Option<Json> {
        self.rest.remove(field)
    }

    fn expect_no_more(self) {
        assert!(self.rest.is_empty(), "{} has fields that nothing reads: {:?}", self.what, self.rest);
    }
}

fn string(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("{json} is no string")).to_string()
}

/// A tensor of f32, as nested lists, or what an object with one field says.
fn tensor(json: &Json) -> HostTensor<'static> {
    let Json::Object(object) = json else { return f32s(json, |x| x) };
    let mut fields = object.iter();
    let (Some((kind, lists)), None) = (fields.next(), fields.next()) else { panic!("{json} has not one field") };
    match kind.as_str() {
        "i32" => i32s(lists),
        "log_of" => f32s(lists, f64::ln),
        "logit_of" => f32s(lists, |p| p.ln() - (-p).ln_1p()),
        other => panic!("{other} says nothing of a tensor"),
    }
}

fn f32s(lists: &Json, map: impl Fn(f64) -> f64) -> HostTensor<'static> {
    let (shape, values) = flattened(lists);
    let values: Vec<f64> = values.into_iter().map(|value| map(value.as_f64().unwrap())).collect();
    HostTensor::rounded(&values, DType::F32, shape).unwrap()
}

fn i32s(lists: &Json) -> HostTensor<'static> {
    let (shape, values) = flattened(lists);
    let values = values.into_iter().map(|value| i32::try_from(value.as_i64().unwrap()).unwrap());
    HostTensor::from_bytes(DType::I32, shape, values.flat_map(i32::to_le_bytes).collect::<Vec<u8>>()).unwrap()
}

/// The shape of nested lists, and what they hold.
fn flattened(lists: &Json) -> (Vec<usize>, Vec<&Json>) {
    let Json::Array(lists) = lists else { return (Vec::new(), vec![lists]) };
    let (shapes, values): (Vec<_>, Vec<_>) = lists.iter().map(flattened).unzip();
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "lists of different lengths: {lists:?}");
    (iter::once(lists.len()).chain(shapes[0].iter().copied()).collect(), values.concat())
}

impl Stated {
    /// Whether a number is this one; NaN never is.
    pub fn is(&self, found: f64) -> bool {
        (found - self.value).abs() <= self.tolerance
    }
}

impl From<&str> for Stated {
    fn from(text: &str) -> Stated {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let value: f64 = text.parse().unwrap();
        let one_in_the_last_digit = 10_f64.powi(exponent.parse::<i32>().unwrap() - decimals as i32);
        Stated { value, tolerance: one_in_the_last_digit.max(4.0 * f64::from(f32::EPSILON) * value.abs()) }
    }
}
