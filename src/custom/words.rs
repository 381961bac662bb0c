//! The words of a WGSL text, as far as they can be told without a compiler.

/// A word or a sign of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// Its first byte.
    pub byte: usize,
}

/// Whether a text is an identifier that WGSL, the host and a command line take.
pub(super) fn is_identifier(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part) && text != "_"
}

/// The words and signs of a text, without its comments.
fn words(text: &str) -> Vec<Word<'_>> {
    pieces(text).into_iter().filter(|piece| !is_comment(piece.text)).collect()
}

fn is_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*")
}

/// The comments of a text that have lines of their own, each of one line.
pub(super) fn line_comments(text: &str) -> impl Iterator<Item = Word<'_>> {
    let is_alone =
        |comment: &Word<'_>| text[..comment.byte].rsplit(ends_line).next().is_none_or(|line| line.trim().is_empty());
    pieces(text).into_iter().filter(|piece| piece.text.starts_with("//")).filter(is_alone)
}

/// The last word or sign of a text.
pub(super) fn last_word(text: &str) -> Option<Word<'_>> {
    words(text).pop()
}

/// What a text has that only a whole shader may have: at its top level what it asks of a device and what it binds, and
/// anywhere what all lanes of a workgroup must call together, which call hooks at different times.
pub(super) fn of_whole_shaders(text: &str) -> Option<Word<'_>> {
    let words = words(text);
    let (mut depth, mut begins) = (0_usize, true);
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).map_or("", |next| next.text);
        let behind = words.get(place + 2).map_or("", |next| next.text);
        let is_forbidden = match word.text {
            "enable" | "requires" | "diagnostic" => begins,
            "override" => true,
            "@" => ["group", "binding", "id", "compute", "vertex", "fragment", "workgroup_size"].contains(&next),
            // In any other address space, or in none that is written, it is of a shader.
            "var" => next != "<" || behind != "private",
            _ => false,
        };
        if depth == 0 && is_forbidden || next == "(" && needs_all_lanes(word.text) {
            return Some(Word { text: if word.text == "@" { words[place + 1].text } else { word.text }, ..*word });
        }
        match word.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        begins = [";", "}"].contains(&word.text);
    }
    None
}

/// Whether a line of WGSL ends here.
fn ends_line(c: char) -> bool {
    matches!(c, '\u{a}'..='\u{d}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a function of WGSL has this name that lanes must call together.
fn needs_all_lanes(name: &str) -> bool {
    let is_named = |begin: &str| name.strip_prefix(begin).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let names = ["workgroupBarrier", "storageBarrier", "textureBarrier", "workgroupUniformLoad", "quadBroadcast"];
    names.contains(&name) || ["subgroup", "quadSwap"].into_iter().any(is_named)
}

/// The words, signs and comments of a text.
fn pieces(text: &str) -> Vec<Word<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let byte = text.len() - rest.len();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            '/' if rest.starts_with("//") => rest.find(ends_line).unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => length_of_comment(rest).unwrap_or(rest.len()),
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (piece, behind) = rest.split_at(length);
        if !first.is_whitespace() {
            pieces.push(Word { text: piece, byte });
        }
        rest = behind;
    }
    pieces
}

/// The length of a comment that may have others in it, which a text begins with, if it ends.
fn length_of_comment(text: &str) -> Option<usize> {
    let (mut depth, mut byte) = (0, 0);
    while let Some(next) = text[byte..].find(['/', '*']).map(|found| byte + found) {
        let change = match text.get(next..next + 2) {
            Some("/*") => 1,
            Some("*/") => -1,
            _ => 0,
        };
        depth += change;
        byte = next + if change == 0 { 1 } else { 2 };
        if depth == 0 {
            return Some(byte);
        }
    }
    None
}

/// The last bracket or comment of a text that is not closed.
pub(super) fn unclosed(text: &str) -> Option<Word<'_>> {
    let mut open = Vec::new();
    for piece in pieces(text) {
        match piece.text {
            "{" | "(" | "[" => open.push(piece),
            // Whether it closes what is open, a compiler says.
            "}" | ")" | "]" => _ = open.pop(),
            comment if comment.starts_with("/*") && length_of_comment(comment).is_none() => {
                return Some(Word { text: "/*", ..piece });
            }
            _ => {}
        }
    }
    open.pop()
}

/// Words that a statement may have, and `else`s that a text may: compilers go one level down for each, and have no more
/// room than a thread's stack.
pub(super) const MOST_WORDS: usize = 1000;
pub(super) const MOST_ELSES: usize = 250;

/// The first statement of too many words.
pub(super) fn longest_statement(text: &str) -> Option<Word<'_>> {
    let words = words(text);
    let mut statements = words.split(|word| [";", "{", "}"].contains(&word.text));
    statements.find(|statement| statement.len() > MOST_WORDS).map(|statement| statement[0])
}

/// The first `else` that is one too many.
pub(super) fn last_else(text: &str) -> Option<Word<'_>> {
    words(text).into_iter().filter(|word| word.text == "else").nth(MOST_ELSES)
}

/// What a text declares at its top level: functions, constants, variables, structs and aliases.
pub(super) fn declared(text: &str) -> Vec<Word<'_>> {
    let words = words(text);
    let (mut depth, mut found) = (0_usize, Vec::new());
    for (place, word) in words.iter().enumerate() {
        match word.text {
            "{" | "(" => depth += 1,
            "}" | ")" => depth = depth.saturating_sub(1),
            "fn" | "const" | "override" | "struct" | "alias" if depth == 0 => found.extend(words.get(place + 1)),
            "var" if depth == 0 => {
                let is_typed = words.get(place + 1).is_some_and(|word| word.text == "<");
                let end = words[place..].iter().position(|word| word.text == ">").filter(|_| is_typed);
                found.extend(words.get(place + end.unwrap_or(0) + 1));
            }
            _ => {}
        }
    }
    found
}

/// The types of a function's arguments and of its result, of a text that declares it.
pub(super) fn types_of(text: &str, function: &str) -> Option<Vec<String>> {
    let words = words(text);
    let start = words.windows(2).position(|pair| pair[0].text == "fn" && pair[1].text == function)?;
    let (mut types, mut is_type) = (Vec::new(), false);
    for word in words[start..].iter().take_while(|word| word.text != "{") {
        match word.text {
            ":" | "-" => {
                types.push(String::new());
                is_type = true;
            }
            "," | ")" if types.last().is_none_or(|ty| ty.matches('<').count() == ty.matches('>').count()) => {
                is_type = false;
            }
            // The arrow's, behind which the type begins.
            ">" if types.last().is_some_and(String::is_empty) => {}
            part if is_type => types.last_mut()?.push_str(part),
            _ => {}
        }
    }
    let long = |ty: &String| match &**ty {
        "vec2f" => "vec2<f32>".to_string(),
        "vec3f" => "vec3<f32>".to_string(),
        "vec4f" => "vec4<f32>".to_string(),
        other => other.to_string(),
    };
    Some(types.iter().map(long).collect())
}

/// The members of a variable that a text names.
pub(super) fn members_of<'a>(text: &'a str, variable: &str) -> Vec<Word<'a>> {
    let words = words(text);
    let is_member = |window: &&[Word<'a>]| window[0].text == variable && window[1].text == ".";
    words.windows(3).filter(is_member).map(|window| window[2]).collect()
}

#[cfg(test)]
mod tests {
    use super::{declared, is_identifier, members_of, types_of, unclosed};

    #[test]
    fn declarations_are_told_from_comments_and_bodies() {
        let text = "
            // fn not_this() {}
            /* const nor_this = 1; /* fn or_this() {} */ fn still_a_comment() {} */
            const LIMIT: f32 = 1.0;
            struct Pair { first: f32, second: f32 }
            alias Triple = vec3<f32>;
            var<private> total: f32;
            @must_use fn helper(x: f32) -> f32 { const inner = 2.0; var own = x; return own * inner; }
            fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2<f32>(params.a, params . b); }";
        let names: Vec<&str> = declared(text).iter().map(|word| word.text).collect();
        assert_eq!(names, ["LIMIT", "Pair", "Triple", "total", "helper", "loss_and_grad"]);
        let members: Vec<&str> = members_of(text, "params").iter().map(|word| word.text).collect();
        assert_eq!(members, ["a", "b"]);
        let place = declared(text)[0].byte;
        assert!(text[place..].starts_with("LIMIT"));
    }

    #[test]
    fn what_is_not_closed_is_found() {
        let found = |text: &str| unclosed(text).map(|word| (word.text.to_string(), word.byte));
        assert_eq!(found("fn f() { if (a) { b[1]; } } // {\n/* ( */"), None);
        assert_eq!(found("fn f() { if (a) { b; }"), Some(("{".to_string(), 7)));
        assert_eq!(found("fn f(a"), Some(("(".to_string(), 4)));
        assert_eq!(found("a /* b /* c */ d"), Some(("/*".to_string(), 2)));
        assert_eq!(found("} }"), None);
    }

    #[test]
    fn types_of_functions_are_told() {
        let types = |text: &str| types_of(text, "f").unwrap_or_default().join(", ");
        assert_eq!(types("fn f(p: f32, t: f32) -> vec2<f32> { let x: i32 = 1; }"), "f32, f32, vec2<f32>");
        assert_eq!(types("fn g() {} fn f(a: array<f32, 2>, b: Row,) -> vec3f {}"), "array<f32,2>, Row, vec3<f32>");
        assert_eq!(types("fn f() {}"), "");
        assert_eq!(types("fn f("), "");
        assert_eq!(types_of("fn g() {}", "f"), None);
    }

    #[test]
    fn texts_that_end_early_are_read() {
        for text in ["", "fn", "var<", "/*", "/* /", "//", "fn é", "params.", "}}}", "const\u{0}"] {
            declared(text);
            members_of(text, "params");
        }
        assert_eq!(declared("/* a */ fn f").len(), 1);
    }

    #[test]
    fn identifiers_are_plain() {
        assert!(["a", "_a", "loss2", "A_B"].into_iter().all(is_identifier));
        assert!(!["", "_", "2a", "a-b", "a b", "é", "a.b"].into_iter().any(is_identifier));
    }
}
