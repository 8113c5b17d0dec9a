//! Parameters made wrong in one or a few ways.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use super::{hostile, interface::Method};

/// The list of parameters as text, some of it no valid JSON; none leaves `params` out.
pub fn params(method: &Method, mut values: Vec<Value>, random: &mut StdRng) -> Option<String> {
    let mut holes = Holes::default();
    for _ in 0..random.random_range(0..3) {
        bend(&mut values, &mut holes, random);
    }
    match random.random_range(0..30) {
        0 => None,
        1 => Some("null".to_owned()),
        2 => Some(by_name(method, values, &holes)),
        3 => Some(hostile::text(random)),
        _ => Some(holes.fill(Value::Array(values))),
    }
}

/// Places in a value where text is put that no value can be.
#[derive(Default)]
struct Holes(Vec<String>);

impl Holes {
    fn dig(&mut self, text: String) -> Value {
        self.0.push(text);
        json!(Self::mark(self.0.len() - 1))
    }

    fn mark(index: usize) -> String {
        format!("@hole {index}@")
    }

    fn fill(&self, value: Value) -> String {
        // The last ones may be inside of earlier ones.
        let holes = self.0.iter().enumerate();
        holes.rev().fold(value.to_string(), |text, (index, hole)| text.replace(&json!(Self::mark(index)).to_string(), hole))
    }
}

fn bend(values: &mut Vec<Value>, holes: &mut Holes, random: &mut StdRng) {
    let place = random.random_range(0..values.len().max(1));
    match random.random_range(0..8) {
        0 => drop(values.pop()),
        1 => values.push(holes.dig(hostile::text(random))),
        2 if place < values.len() => drop(values.remove(place)),
        3 if place < values.len() => values.push(values[place].clone()),
        4 if place < values.len() => values.rotate_left(place),
        5 => {
            if let Some(text) = node(values, random, |node| node.as_str().is_some_and(|text| text.starts_with("0x"))) {
                *text = json!(hostile::bent_hex(text.as_str().unwrap_or_default(), random));
            }
        }
        6 => {
            if let Some(object) = node(values, random, Value::is_object) {
                *object = bent_object(object.take(), holes, random);
            }
        }
        _ => {
            if let Some(node) = node(values, random, |_| true) {
                *node = holes.dig(hostile::text(random));
            }
        }
    }
}

/// A key less, a key more, or a key twice.
fn bent_object(object: Value, holes: &mut Holes, random: &mut StdRng) -> Value {
    let Value::Object(mut object) = object else { return object };
    let keys: Vec<String> = object.keys().cloned().collect();
    match (random.random_range(0..3), keys.choose(random)) {
        (0, Some(key)) => drop(object.remove(key)),
        (1, Some(key)) => {
            let rest = Value::Object(object.clone()).to_string();
            let twice = format!("{{{}:{},{}", json!(key), hostile::text(random), rest.strip_prefix('{').unwrap_or_default());
            return holes.dig(twice);
        }
        _ => drop(object.insert("unheardOf".to_owned(), holes.dig(hostile::text(random)))),
    }
    Value::Object(object)
}

fn by_name(method: &Method, values: Vec<Value>, holes: &Holes) -> String {
    holes.fill(Value::Object(Map::from_iter(method.parameters.iter().cloned().zip(values))))
}

/// Some part of `values`, at any depth, that is as wanted.
fn node<'a>(values: &'a mut [Value], random: &mut StdRng, is_wanted: fn(&Value) -> bool) -> Option<&'a mut Value> {
    let mut paths = Vec::new();
    values.iter().enumerate().for_each(|(index, value)| walk(value, format!("/{index}"), is_wanted, &mut paths));
    let path = paths.choose(random)?;
    let (index, rest) = path[1..].split_once('/').map_or((&path[1..], String::new()), |(index, rest)| (index, format!("/{rest}")));
    values.get_mut(index.parse::<usize>().ok()?)?.pointer_mut(&rest)
}

fn walk(value: &Value, path: String, is_wanted: fn(&Value) -> bool, paths: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| walk(value, format!("{path}/{index}"), is_wanted, paths)),
        // None of our keys has a slash or a tilde in it.
        Value::Object(object) => object.iter().for_each(|(key, value)| walk(value, format!("{path}/{key}"), is_wanted, paths)),
        _ => {}
    }
    if is_wanted(value) {
        paths.push(path);
    }
}
