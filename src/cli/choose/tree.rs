//! What the table of tasks is made of: questions that lead from a task to a loss.

use std::fmt;

use wgloss::{Loss, Reduction, spec::LossSpec};

/// What is to be predicted, or learnt.
pub struct Task {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, to be read as an answer.
    pub text: &'static str,
    /// The page of the documentation that goes on from here.
    pub page: &'static str,
    /// What to ask next, or the losses for it.
    pub step: Step,
    /// What goes wrong with it.
    pub pitfalls: &'static [&'static Pitfall],
}

/// A question, or what the answers before lead to.
pub enum Step {
    /// Another question.
    Ask(&'static Question),
    /// The loss to take, or the two to choose between, the better known first.
    Take(&'static [Pick]),
    /// Two losses that are taken together, each for a network of its own.
    TakeBoth(&'static [Pick; 2]),
}

/// A question about a task.
pub struct Question {
    /// Its words.
    pub text: &'static str,
    /// The usual answer, for which there is no flag.
    pub usual: &'static str,
    /// What the usual answer leads to.
    pub step: Step,
    /// The other answers.
    pub others: &'static [(&'static Situation, Step)],
}

/// What may hold of a task. Several tasks may share one.
#[derive(Debug, PartialEq, Eq)]
pub struct Situation {
    /// Its flag on the command line.
    pub name: &'static str,
    /// What it is, to be read as an answer.
    pub text: &'static str,
}

/// A loss that is recommended.
pub struct Pick {
    /// The loss with its parameters.
    pub choice: Choice,
    /// Why it is the one to take.
    pub why: &'static str,
    /// Its parameters and optional inputs, each with what is typical and when to take something else.
    pub advice: &'static [Advised],
    /// The usual reduction.
    pub reduction: Reduction,
    /// What it is given.
    pub form: &'static Form,
}

/// A parameter or an optional input, and what is typical of it.
pub type Advised = (&'static str, &'static str);

/// What goes into a loss.
pub struct Form {
    /// The network's last layer.
    pub last_layer: &'static str,
    /// The form of the targets.
    pub targets: &'static str,
    /// The inputs of the smallest example.
    pub inputs: &'static [Sample],
}

/// An input of an example.
pub struct Sample {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub numbers: Numbers,
    /// Its shape.
    pub shape: &'static [usize],
}

/// The values of an input.
#[derive(Clone, Copy)]
pub enum Numbers {
    /// Floating values.
    Floats(&'static [f32]),
    /// Class indices or labels.
    Indices(&'static [i32]),
}

/// What goes wrong, and what the API does about it.
pub struct Pitfall {
    /// Its name.
    pub title: &'static str,
    /// What goes wrong.
    pub trap: &'static str,
    /// How it is prevented, or seen.
    pub guard: &'static str,
}

/// A loss with its parameters, as a program makes it and as a reader would write it.
pub struct Choice {
    /// Makes the loss.
    pub make: fn() -> Box<dyn Loss>,
    /// The name of its type.
    pub type_name: &'static str,
    /// The fields that are set, each with its expression.
    pub fields: &'static [(&'static str, &'static str)],
    /// Whether other fields keep their defaults.
    pub has_defaults: bool,
}

/// The [`Choice`] of a loss: `Mse`, `Huber { delta: 0.5 }`, or with `..` for the other fields' defaults.
macro_rules! choice {
    ($loss:ident) => {
        choice!(@of $loss, wgloss::$loss, [], false)
    };
    ($loss:ident { .. }) => {
        choice!(@of $loss, wgloss::$loss::default(), [], true)
    };
    ($loss:ident { $($field:ident: $value:expr),+ }) => {
        choice!(@of $loss, wgloss::$loss { $($field: $value),+ }, [$($field: $value),+], false)
    };
    ($loss:ident { $($field:ident: $value:expr,)+ .. }) => {
        choice!(
            @of $loss, wgloss::$loss { $($field: $value,)+ ..wgloss::$loss::default() }, [$($field: $value),+], true
        )
    };
    (@of $loss:ident, $made:expr, [$($field:ident: $value:expr),*], $has_defaults:literal) => {
        $crate::choose::tree::Choice {
            make: || Box::new($made),
            type_name: stringify!($loss),
            fields: &[$((stringify!($field), stringify!($value))),*],
            has_defaults: $has_defaults,
        }
    };
}
pub(super) use choice;

impl Pick {
    /// The loss's entry in the catalogue.
    pub fn spec(&self) -> &'static LossSpec {
        (self.choice.make)().spec()
    }

    /// The parameters that are not at their defaults, with their values, as on the command line.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let loss = (self.choice.make)();
        let values = loss.spec().params.iter().zip(loss.values());
        let set = values.filter(|(param, value)| param.default != *value);
        set.map(|(param, value)| (param.name, value.to_string())).collect()
    }

    /// The parameters that are set or advised on, with their values, as on the command line.
    pub fn typical(&self) -> Vec<(&'static str, String)> {
        let (settings, loss) = (self.settings(), (self.choice.make)());
        let is_set = |name: &str| settings.iter().any(|(set, _)| *set == name);
        let is_advised = |name: &str| self.advice.iter().any(|(advised, _)| *advised == name) && !self.takes(name);
        let values = loss.spec().params.iter().zip(loss.values());
        let typical = values.filter(|(param, _)| is_set(param.name) || is_advised(param.name));
        typical.map(|(param, value)| (param.name, value.to_string())).collect()
    }

    /// Whether its example has an input of that name; one may be called as a parameter is.
    fn takes(&self, name: &str) -> bool {
        self.form.inputs.iter().any(|sample| sample.name == name)
    }
}

/// One way through the questions of a task, and where it leads.
pub struct Advice {
    /// The task.
    pub task: &'static Task,
    /// An answer to each question.
    pub answers: Vec<Answer>,
    /// The loss to take, or the two to choose between or to take together.
    pub picks: &'static [Pick],
    /// Whether both are taken.
    pub takes_both: bool,
}

/// An answer to a question.
#[derive(Clone, Copy)]
pub enum Answer {
    /// The usual one, by its text.
    Usual(&'static str),
    /// Another one.
    Situation(&'static Situation),
}

impl Answer {
    /// What it says.
    pub fn text(self) -> &'static str {
        match self {
            Answer::Usual(text) => text,
            Answer::Situation(situation) => situation.text,
        }
    }

    /// The situation, unless the answer is the usual one.
    pub fn situation(self) -> Option<&'static Situation> {
        match self {
            Answer::Usual(_) => None,
            Answer::Situation(situation) => Some(situation),
        }
    }
}

impl Advice {
    /// The situations that hold.
    pub fn situations(&self) -> impl Iterator<Item = &'static Situation> {
        self.answers.iter().filter_map(|answer| answer.situation())
    }

    /// The situations of the task that do not hold.
    pub fn other_situations(&self) -> impl Iterator<Item = &'static Situation> {
        self.task.situations().into_iter().filter(|one| !self.situations().any(|situation| situation == *one))
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.name)
    }
}

impl Task {
    /// Where the answers lead. `answer` gives the number of an answer: 0 for the usual one, then the others from 1 on.
    pub fn advise<E>(
        &'static self,
        mut answer: impl FnMut(&'static Question) -> Result<usize, E>,
    ) -> Result<Advice, E> {
        let (mut step, mut answers) = (&self.step, Vec::new());
        loop {
            let question = match step {
                Step::Take(picks) => return Ok(Advice { task: self, answers, picks, takes_both: false }),
                Step::TakeBoth(picks) => {
                    return Ok(Advice { task: self, answers, picks: picks.as_slice(), takes_both: true });
                }
                Step::Ask(question) => question,
            };
            let (answer, next) = question.answer(answer(question)?);
            answers.push(answer);
            step = next;
        }
    }

    /// Every way through the questions, the usual answer first.
    pub fn advices(&'static self) -> Vec<Advice> {
        let mut ways = vec![(&self.step, Vec::new())];
        let mut advices = Vec::new();
        while let Some((step, answers)) = ways.pop() {
            match step {
                Step::Take(picks) => advices.push(Advice { task: self, answers, picks, takes_both: false }),
                Step::TakeBoth(picks) => {
                    advices.push(Advice { task: self, answers, picks: picks.as_slice(), takes_both: true });
                }
                // The last that is put in is the first that comes out.
                Step::Ask(question) => ways.extend((0..=question.others.len()).rev().map(|number| {
                    let (answer, next) = question.answer(number);
                    (next, answers.iter().copied().chain([answer]).collect())
                })),
            }
        }
        advices
    }

    /// The situations that its questions ask for, each once.
    pub fn situations(&'static self) -> Vec<&'static Situation> {
        let mut all = Vec::new();
        for advice in self.advices() {
            for situation in advice.situations() {
                if !all.contains(&situation) {
                    all.push(situation);
                }
            }
        }
        all
    }
}

impl Question {
    /// The answer of that number, 0 for the usual one, and what it leads to.
    fn answer(&'static self, number: usize) -> (Answer, &'static Step) {
        match number.checked_sub(1).and_then(|index| self.others.get(index)) {
            Some((situation, step)) => (Answer::Situation(situation), step),
            None => (Answer::Usual(self.usual), &self.step),
        }
    }

    /// The texts of the answers, by their numbers.
    pub fn texts(&self) -> Vec<&'static str> {
        std::iter::once(self.usual).chain(self.others.iter().map(|(situation, _)| situation.text)).collect()
    }
}
