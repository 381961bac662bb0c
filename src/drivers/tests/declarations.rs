//! What a WGSL text declares, read without the rest of a kernel: a compiler would want all of it.

/// A declaration at the top level of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Declaration {
    /// `fn`, `const`, `var`, `struct` or `alias`.
    pub kind: String,
    pub name: String,
    /// Arguments and result of a function, the type of a constant or variable, the members of a struct, what an alias
    /// stands for.
    pub what: String,
}

impl Declaration {
    /// That of an item such as `fn f(x: f32) -> f32 {`, with single spaces.
    fn of(item: &str) -> Option<Self> {
        let mut item = item.trim();
        // Attributes.
        while let Some(rest) = item.strip_prefix('@') {
            let end = rest.find([' ', '('])?;
            let end = if rest[end..].starts_with('(') { rest.find(')')? + 1 } else { end };
            item = rest[end..].trim_start();
        }
        let (kind, rest) = item.split_once([' ', '<'])?;
        let (name, what) = match kind {
            "fn" => (rest.split_once('(')?.0, rest.split_once('{')?.0.trim_start_matches(|c| c != '(')),
            "struct" => rest.split_once('{')?,
            "alias" => rest.split_once('=')?,
            "const" => rest.split_once('=')?.0.split_once(':')?,
            "var" => rest.split_once('>').map_or(rest, |(_, rest)| rest).split_once(':')?,
            _ => return None,
        };
        let trimmed = |text: &str| text.trim().to_string();
        Some(Declaration { kind: trimmed(kind), name: trimmed(name), what: trimmed(what.trim_end_matches([';', '}'])) })
    }
}

/// What a text declares, in order.
pub(super) fn declarations(text: &str) -> Vec<Declaration> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    // However long lines are broken.
    let text = words.join(" ").replace("( ", "(").replace(", )", ")").replace(" )", ")");
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (place, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && [';', '}'].contains(&character) {
            found.extend(Declaration::of(&text[start..=place]));
            start = place + 1;
        }
    }
    found
}

#[test]
fn declarations_of_every_kind_are_found() {
    let text = "
        // fn not_this() {}
        struct Call { length: u32, scale: f32, }
        @group(0) @binding(0) var<uniform> call: Call;
        @group(0) @binding(2) var<storage, read_write> rows: array<Row>;
        const SUMS: bool = true; // of the first walk
        alias Items = array<vec4<f32>, 2>;
        var<private> total: f32 = 1.0;
        @compute @workgroup_size(WORKGROUP_SIZE)
        fn evaluate(
            @builtin(workgroup_id) workgroup: vec3<u32>,
            thread: Thread,
        ) { if (SUMS) { total = 2.0; } }
        fn load(index: u32) -> f32 { return 1.0; }
    ";
    let found: Vec<[String; 3]> =
        declarations(text).into_iter().map(|Declaration { kind, name, what }| [kind, name, what]).collect();
    let expected = [
        ["struct", "Call", "length: u32, scale: f32,"],
        ["var", "call", "Call"],
        ["var", "rows", "array<Row>"],
        ["const", "SUMS", "bool"],
        ["alias", "Items", "array<vec4<f32>, 2>"],
        ["var", "total", "f32 = 1.0"],
        ["fn", "evaluate", "(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread)"],
        ["fn", "load", "(index: u32) -> f32"],
    ];
    assert_eq!(found, expected);
}
