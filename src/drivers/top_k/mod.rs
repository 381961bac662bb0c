//! Losses of a student's logits beside a teacher of which some classes of each row are given: a row loss of these,
//! which are gathered first and whose gradients are scattered behind, and by choice of all others together.

mod steps;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    Call, Extent, Room,
    inner::Inner,
    judge::{self, Judged},
    needs::Need,
};
use crate::{
    DType, Error, Gradients, Named, Options, Reduction, Statistics, TensorType,
    losses::{
        Tail,
        tail::{ORIGIN, TailLogSumExp},
    },
    program::{
        Place, Program, Scratch, Step,
        chunk::{Chunk, Operand, Split, Splittable, Start, chunks},
    },
    spec::{CLASSES_LEFT_OUT, DIVISOR, Driver, MASK, TopK, UPSTREAM, Values, WEIGHT},
};

const LOGITS: &str = "logits";
/// The classes that a teacher gives, and the logarithms of their probabilities.
const INDICES: &str = "teacher_indices";
const LOG_PROBS: &str = "teacher_log_probs";

impl Room for TopK {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        match *shape {
            [rows, classes] if classes > 0 => Ok(Extent::of_items(vec![rows], classes)),
            _ => Err("[N, C] with C ≥ 1".to_string()),
        }
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N]", "[1] or [N]"]
    }

    fn needs(&self) -> Vec<Need> {
        let what =
            "`inputs` has `logits` first, `teacher_indices` and `teacher_log_probs`, and `params` a `temperature`";
        vec![Need {
            what,
            is_met: |spec| {
                matches!(spec.driver, Driver::TopK(_))
                    && spec.inputs[0].name == LOGITS
                    && [INDICES, LOG_PROBS].iter().all(|name| spec.input(name).is_some())
                    && spec.has_number("temperature")
            },
        }]
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        Builder::new(call, self)?.program()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        // Rows of whole quads, of whole pairs and others; of one class, and of more given ones than lanes.
        let few: &[&[usize]] = &[&[5, 1], &[1, 2], &[1, 7], &[33, 10], &[257, 3], &[65, 64]];
        let many: &[&[usize]] = &[&[16, w + 1], &[3, 2 * w + 4], &[7, 20 * w + 1]];
        let more: &[&[usize]] = &[&[3, 50_257], &[2, 128_256], &[4099, 7]];
        vec![
            trials.arrangement(&[17, 9], &[few, many].concat(), more),
            trials.arrangement(&[17, 12], &[&[17, w], &[5, 68]], &[&[64, 1000]]),
        ]
    }
}

/// The program of a call while it is built.
struct Builder<'a> {
    call: &'a Call<'a>,
    of: &'a TopK,
    rows: u64,
    classes: u64,
    /// Classes of a row that are given.
    given: u64,
    /// Whether all others are an outcome, which comes before those that are given.
    has_bucket: bool,
    program: Program,
    at: Places,
    chunks: Vec<Chunk>,
}

/// Scratch by its number in the program.
#[derive(Clone, Copy, Default)]
struct Places {
    /// Of each outcome and row: the student's logit, which its gradient replaces, and the teacher's.
    student: usize,
    teacher: usize,
    /// Of each row: a bit for each class that is given, what logits are measured from, how it stands, and whether it is
    /// there.
    left_out: usize,
    origins: usize,
    standing: usize,
    kept: usize,
    /// How many rows are not as they should be.
    judged: usize,
}

impl<'a> Builder<'a> {
    fn new(call: &'a Call<'a>, of: &'a TopK) -> Result<Self, Error> {
        let signature = call.signature;
        let given = signature.input(INDICES).and_then(|ty| ty.shape.last()).map_or(1, |&given| given as u64);
        let (rows, classes) = (signature.items, signature.row);
        Ok(Builder {
            call,
            of,
            rows,
            classes,
            given,
            // Where all classes are given there are no others.
            has_bucket: call.values.is_word("tail", Tail::Bucket.name()) && given < classes,
            program: Program::new(Vec::new()),
            at: Places::default(),
            chunks: Vec::new(),
        })
    }

    fn program(mut self) -> Result<Program, Error> {
        let outcomes = self.of_outcomes()?;
        let mut of_outcomes = outcomes.run(self.call)?;
        self.program.report = std::mem::take(&mut of_outcomes.report);
        self.program.scratch = std::mem::take(&mut of_outcomes.scratch);
        self.at = Places {
            student: self.scratch("the student's outcomes", self.rows * self.outcomes()),
            teacher: self.scratch("the teacher's outcomes", self.rows * self.outcomes()),
            left_out: self.scratch("which classes are given", self.rows * self.left_out_words()),
            origins: self.scratch("what logits are measured from", self.rows),
            standing: self.scratch("how rows stand", self.rows),
            kept: self.scratch("which rows are there", self.rows),
            judged: self.scratch("the rows out of range", 2),
        };
        if self.rows == 0 {
            self.add_outcomes(&outcomes, of_outcomes.steps);
            return Ok(self.program);
        }
        self.chunks = self.chunks()?;
        self.gather()?;
        self.judge()?;
        let tail = self.has_bucket.then(|| self.of_tail()).transpose()?;
        if let Some(tail) = &tail {
            let program = tail.program(self.call, Gradients::Skip, false)?;
            self.add_tail(tail, program, self.at.student);
        }
        self.add_outcomes(&outcomes, of_outcomes.steps);
        self.program.steps.push(judge::tell(self.call, &self.program, self.at.judged));
        if self.call.has_gradients() {
            match &tail {
                Some(tail) => {
                    let gradients = match self.call.options.gradients {
                        // Its weight is in the upstreams.
                        Gradients::Add { .. } => Gradients::Add { weight: 1.0 },
                        gradients => gradients,
                    };
                    let program = tail.program(self.call, gradients, true)?;
                    // Its values have been read; how rows stand is known.
                    self.add_tail(tail, program, self.at.standing);
                }
                None if self.call.adds() => {}
                None => self.clear()?,
            }
            self.scatter()?;
        }
        Ok(self.program)
    }

    /// Outcomes of a row.
    fn outcomes(&self) -> u64 {
        self.given + u64::from(self.has_bucket)
    }

    /// Words of a bit for each class of a row.
    fn left_out_words(&self) -> u64 {
        self.classes.div_ceil(32)
    }

    /// Scratch for so many values.
    fn scratch(&mut self, label: &'static str, values: u64) -> usize {
        self.program.scratch.push(Scratch { label, size: DType::F32.size_in_quads(values.max(1)) });
        self.program.scratch.len() - 1
    }

    /// The row loss of the outcomes, which lie one behind the other, each with a value for every row.
    fn of_outcomes(&self) -> Result<Inner, Error> {
        let options = self.call.options;
        let loss = (self.of.loss)(self.call.values);
        let gradients = if self.call.has_gradients() { Gradients::InPlace } else { Gradients::Skip };
        let upstream = options.gradient_scale() as f32;
        let options = Options { gradients, upstream, statistics: Statistics::default(), ..*options };
        // There the first axis has one sample of all rows.
        let options = match options.reduction {
            Reduction::BatchMean if self.rows > 0 => {
                Options { reduction: Reduction::Sum, divisor: Some(self.rows as f32), ..options }
            }
            _ => options,
        };
        let rows = self.rows as usize;
        let of_rows = |ty: &TensorType| match ty.shape[..] {
            [length] if length == rows => TensorType::new(ty.dtype, [1, rows]),
            _ => ty.clone(),
        };
        let outcomes = TensorType::new(DType::F32, [1, self.outcomes() as usize, rows]);
        let both = loss.spec().inputs.iter().filter(|input| !input.optional);
        let mut types: Named<TensorType> = both.map(|input| (input.name.to_string(), outcomes.clone())).collect();
        types = types.with(MASK.name, TensorType::new(DType::I32, [1, rows]));
        for (input, ty) in &self.call.signature.inputs {
            if [WEIGHT.name, UPSTREAM.name, DIVISOR.name].contains(&input.name) {
                types = types.with(input.name, of_rows(ty));
            }
        }
        Inner::new(&*loss, types, options)
    }

    /// The row loss that makes one logit of those of all classes that are not given.
    fn of_tail(&self) -> Result<Inner, Error> {
        let signature = self.call.signature;
        let rows = self.rows as usize;
        let loss = TailLogSumExp { temperature: self.call.values.number("temperature") as f32 };
        let types = Named::new()
            .with(LOGITS, signature.inputs[0].1.clone())
            .with(CLASSES_LEFT_OUT.name, TensorType::new(DType::I32, [rows, self.left_out_words() as usize]))
            .with(ORIGIN.name, TensorType::new(DType::F32, [rows]))
            .with(MASK.name, TensorType::new(DType::I32, [rows]));
        Inner::new(&loss, types, Options::new(Reduction::None))
    }

    /// Adds the steps of the loss of outcomes. Its workspace is that of the whole.
    fn add_outcomes(&mut self, outcomes: &Inner, steps: Vec<Step>) {
        let at = self.at;
        let place = |place: Place| match place {
            Place::Tensor(name, range) => match &*name {
                LOGITS => Place::Scratch(at.student, range),
                "teacher_logits" => Place::Scratch(at.teacher, range),
                name if name == MASK.name => Place::Scratch(at.kept, range),
                _ => Place::Tensor(name, range),
            },
            scratch => scratch,
        };
        self.program.steps.extend(outcomes.steps(steps, place));
    }

    /// Adds the steps of the tail, whose value goes to a scratch. Its upstream is the gradient of the first outcome.
    fn add_tail(&mut self, tail: &Inner, program: Program, values: usize) {
        let (at, first) = (self.at, self.program.scratch.len());
        self.program.scratch.extend(program.scratch);
        let place = |place: Place| match place {
            Place::Scratch(index, range) => Place::Scratch(first + index, range),
            Place::Tensor(name, range) => match &*name {
                "loss" => Place::Scratch(values, range),
                name if name == CLASSES_LEFT_OUT.name => Place::Scratch(at.left_out, range),
                name if name == ORIGIN.name => Place::Scratch(at.origins, range),
                name if name == MASK.name => Place::Scratch(at.kept, range),
                name if name == UPSTREAM.name => Place::Scratch(at.student, range),
                _ => Place::Tensor(name, range),
            },
        };
        self.program.steps.extend(tail.steps(program.steps, place));
    }

    /// The rows as dispatches take them, a workgroup each.
    fn chunks(&self) -> Result<Vec<Chunk>, Error> {
        let mut operands = vec![self.logits(LOGITS), self.left_out()];
        operands.extend([INDICES, LOG_PROBS].map(|name| self.of_given(name)));
        let whole = Splittable {
            loss: self.call.loss(),
            items: self.rows,
            items_of_unit: 1,
            most: u64::MAX,
            operands: &operands,
        };
        chunks(self.call.machine, whole, Split::of_spans(1))
    }

    /// The logits, or their gradient.
    fn logits(&self, name: &str) -> Operand {
        self.operand(name, self.call.signature.inputs[0].1.clone(), self.classes, None)
    }

    /// An input of values of the classes that are given.
    fn of_given(&self, name: &str) -> Operand {
        let ty = self.call.signature.input(name).expect("it is required").clone();
        self.operand(name, ty, self.given, None)
    }

    fn left_out(&self) -> Operand {
        let words = self.left_out_words();
        let ty = TensorType::new(DType::I32, [self.rows as usize, words as usize]);
        self.operand(CLASSES_LEFT_OUT.name, ty, words, Some(self.at.left_out))
    }

    fn operand(&self, name: &str, ty: TensorType, unit: u64, scratch: Option<usize>) -> Operand {
        let name = name.to_string();
        Operand { name, ty, unit: Some(unit), start: self.start(), quads: false, scratch, anew: false }
    }

    fn start(&self) -> Start {
        Start::Behind(self.call.machine.aligned_elements())
    }
}
