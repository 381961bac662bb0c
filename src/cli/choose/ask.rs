//! The questions at a terminal.

use std::io::{BufRead, Write};

use super::{
    error::ChooseError,
    table::TASKS,
    tree::{Advice, Task},
};

/// Asks until a loss is found. Questions go to `screen`, answers come from `keyboard`.
pub fn advise(keyboard: &mut impl BufRead, screen: &mut impl Write) -> Result<Advice, ChooseError> {
    let texts: Vec<&str> = TASKS.iter().map(|task| task.text).collect();
    let task: &'static Task = TASKS[ask(keyboard, screen, "What is to be predicted, or learnt?", &texts)?];
    task.advise(|question| ask(keyboard, screen, question.text, &question.texts()))
}

/// The number of the answer, from 0 on. One that is none is told so, and the question stays open.
fn ask(
    keyboard: &mut impl BufRead,
    screen: &mut impl Write,
    question: &str,
    answers: &[&str],
) -> Result<usize, ChooseError> {
    let last = answers.len();
    writeln!(screen, "{question}").map_err(ChooseError::Terminal)?;
    for (number, answer) in (1..).zip(answers) {
        writeln!(screen, "  {number:>2}  {answer}").map_err(ChooseError::Terminal)?;
    }
    loop {
        write!(screen, "1 to {last}: ").and_then(|()| screen.flush()).map_err(ChooseError::Terminal)?;
        let mut line = Vec::new();
        if keyboard.read_until(b'\n', &mut line).map_err(ChooseError::Terminal)? == 0 {
            return Err(ChooseError::NoAnswer);
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim().parse::<usize>() {
            Ok(number) if (1..=last).contains(&number) => {
                writeln!(screen).map_err(ChooseError::Terminal)?;
                return Ok(number - 1);
            }
            _ => {
                let told = format!("{:?} is no number of an answer: type one from 1 to {last}.", line.trim());
                writeln!(screen, "{told}").map_err(ChooseError::Terminal)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(typed: &str) -> (Result<Advice, ChooseError>, String) {
        let mut screen = Vec::new();
        let advice = advise(&mut typed.as_bytes(), &mut screen);
        (advice, String::from_utf8(screen).unwrap())
    }

    fn number_of(name: &str) -> usize {
        TASKS.iter().position(|task| task.name == name).unwrap() + 1
    }

    #[test]
    fn numbers_lead_to_the_losses_that_flags_lead_to() {
        for task in TASKS {
            for expected in task.advices() {
                // The answers that lead there, found by trying.
                let mut typed = format!("{}\n", TASKS.iter().position(|one| std::ptr::eq(*one, *task)).unwrap() + 1);
                let told = task.advise(|question| {
                    let position = |situation| question.others.iter().position(|(one, _)| *one == situation);
                    let answer = expected.situations().find_map(position).map_or(0, |index| index + 1);
                    typed += &format!(" {} \r\n", answer + 1);
                    Ok::<_, ChooseError>(answer)
                });
                let (advice, screen) = asked(&typed);
                let advice = advice.unwrap();
                assert!(std::ptr::eq(advice.picks, told.unwrap().picks));
                assert!(std::ptr::eq(advice.picks, expected.picks), "{screen}");
                assert!(advice.situations().eq(expected.situations()));
            }
        }
    }

    #[test]
    fn what_is_no_answer_gets_a_sentence_and_another_try() {
        let regression = number_of("regression");
        let (advice, screen) = asked(&format!("\n0\n{}\nmse\n-1\n\u{1b}[2J\n{regression}\n2\n", TASKS.len() + 1));
        assert_eq!(advice.unwrap().picks[0].spec().name, "huber");
        assert_eq!(screen.matches("is no number of an answer: type one from 1 to").count(), 6);
        // What was typed is shown without what a terminal obeys.
        assert!(screen.contains(r#""\u{1b}[2J" is no number"#) && !screen.contains('\u{1b}'));
    }

    #[test]
    fn an_end_of_the_input_is_an_error() {
        for typed in ["", "1\n", "no answer"] {
            assert!(matches!(asked(typed).0, Err(ChooseError::NoAnswer)), "{typed:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_answer() {
        let mut screen = Vec::new();
        let typed = [b"\xff\xfe\n".as_slice(), format!("{}\n", number_of("counts")).as_bytes()].concat();
        assert!(advise(&mut typed.as_slice(), &mut screen).is_ok());
    }
}
