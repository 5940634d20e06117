//! The mechanism: drawing, judging, and telling what was drawn.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd::prelude::*;

/// How many configurations of each family.
const CASES: u64 = 1000;

/// A name, and what draws one configuration and runs it.
pub(crate) type Family = (&'static str, fn(&mut Draw) -> Outcome);

/// The shapes that a formula gives, none if the configuration is to be refused, and what the library made of it.
pub(crate) struct Outcome {
    expected: Option<Vec<Vec<usize>>>,
    found: Result<Vec<Var>>,
}

/// One result.
pub(crate) fn one(expected: Option<Vec<usize>>, found: Result<Var>) -> Outcome {
    Outcome { expected: expected.map(|shape| vec![shape]), found: found.map(|y| vec![y]) }
}

/// Several results.
pub(crate) fn all(expected: Option<Vec<Vec<usize>>>, found: Result<Vec<Var>>) -> Outcome {
    Outcome { expected, found }
}

/// A generator of settings and inputs that writes down what it gave.
pub(crate) struct Draw {
    pub(crate) rng: StdRng,
    pub(crate) tape: Tape,
    /// How many of the settings are absurd.
    absurd: f64,
    told: Vec<String>,
    leaves: Vec<Var>,
    parameters: Vec<Parameter>,
}

impl Draw {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let absurd = [0.0, 0.03, 0.2][rng.next_u64() as usize % 3];
        let tape =
            if rng.next_u64().is_multiple_of(4) { Tape::seeded(seed).eval() } else { Tape::seeded(seed) };
        Self { rng, tape, absurd, told: vec![], leaves: vec![], parameters: vec![] }
    }

    fn tell<V: Debug>(&mut self, name: &str, value: V) -> V {
        self.told.push(format!("{name} {value:?}"));
        value
    }

    /// Whether this setting is to be absurd.
    fn wild(&mut self) -> bool {
        (self.rng.next_u32() as f64) < self.absurd * 2f64.powi(32)
    }

    fn any<V: Copy>(&mut self, of: &[V]) -> V {
        of[self.rng.next_u64() as usize % of.len()]
    }

    fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.rng.next_u64() as usize % (range.end() - range.start() + 1)
    }

    /// One of these.
    pub(crate) fn choice<V: Copy + Debug>(&mut self, name: &str, of: &[V]) -> V {
        let value = self.any(of);
        self.tell(name, value)
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.choice(name, &[false, true])
    }

    fn silent_size(&mut self, usual: RangeInclusive<usize>) -> usize {
        match self.wild() {
            true => self.any(&[0, 0, 1, 2, 3, 4, 7, 1 << 44, isize::MAX as usize, usize::MAX]),
            false => self.within(usual),
        }
    }

    pub(crate) fn size(&mut self, name: &str, usual: RangeInclusive<usize>) -> usize {
        let value = self.silent_size(usual);
        self.tell(name, value)
    }

    pub(crate) fn sizes<const N: usize>(&mut self, name: &str, usual: RangeInclusive<usize>) -> [usize; N] {
        let values = [(); N].map(|()| self.silent_size(usual.clone()));
        self.tell(name, values)
    }

    fn silent_signed(&mut self, usual: RangeInclusive<isize>) -> isize {
        match self.wild() {
            true => self.any(&[-7, -2, -1, 0, 1, 4, 7, 1 << 44, isize::MIN, isize::MAX]),
            false => usual.start() + self.within(0..=(usual.end() - usual.start()) as usize) as isize,
        }
    }

    pub(crate) fn signed(&mut self, name: &str, usual: RangeInclusive<isize>) -> isize {
        let value = self.silent_signed(usual);
        self.tell(name, value)
    }

    pub(crate) fn many_signed(
        &mut self,
        name: &str,
        count: usize,
        usual: RangeInclusive<isize>,
    ) -> Vec<isize> {
        let values = (0..count).map(|_| self.silent_signed(usual.clone())).collect();
        self.tell(name, values)
    }

    /// An axis of `rank`, seldom one that does not exist.
    pub(crate) fn axis(&mut self, rank: usize) -> isize {
        let rank = rank.max(1) as isize;
        self.signed("axis", -rank..=rank - 1)
    }

    pub(crate) fn float(&mut self, name: &str, usual: &[f64]) -> f64 {
        let absurd = [0.0, -1.0, 0.5, 2.0, 1e300, -1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let value = if self.wild() { self.any(&absurd) } else { self.any(usual) };
        self.tell(name, value)
    }

    /// How many of something: the usual number, seldom another.
    pub(crate) fn count(&mut self, usual: usize) -> usize {
        if self.wild() { self.within(0..=5) } else { usual }
    }

    /// A shape of about these ranks, with extents of 1 to 9, seldom 0.
    pub(crate) fn shape(&mut self, name: &str, ranks: RangeInclusive<usize>) -> Vec<usize> {
        let usual = self.within(ranks);
        let rank = self.count(usual);
        // Few elements in many axes.
        let longest = if rank > 3 { 5 } else { 9 };
        let shape = (0..rank).map(|_| if self.wild() { 0 } else { self.within(1..=longest) }).collect();
        self.tell(name, shape)
    }

    /// As [`shape`](Self::shape), but of nothing, one axis may be as long as no tensor of something.
    pub(crate) fn any_shape(&mut self, name: &str, ranks: RangeInclusive<usize>) -> Vec<usize> {
        let mut shape = self.shape(name, ranks);
        if let Some(longest) = shape.iter().position(|&extent| extent > 0).filter(|_| shape.contains(&0)) {
            shape[longest] = 1 << 44;
        }
        self.tell(name, shape)
    }

    /// The shape, seldom with another extent at one axis.
    pub(crate) fn nearly(&mut self, name: &str, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if self.wild() && !shape.is_empty() {
            let axis = self.within(0..=shape.len() - 1);
            shape[axis] = self.within(0..=9);
        }
        if self.wild() {
            shape.insert(0, 1);
        }
        self.tell(name, shape)
    }

    /// The shape of an input of a layer over `D` axes of space: `[n, c, …]` or `[c, …]`, with these channels.
    pub(crate) fn image<const D: usize>(&mut self, channels: usize) -> Vec<usize> {
        let mut shape = self.shape("x", D + 1..=D + 2);
        let axis = shape.len().saturating_sub(D + 1);
        if !self.wild() && axis < shape.len() && channels < 100 {
            shape[axis] = channels;
        }
        self.tell("x", shape)
    }

    /// A variable of this shape on the tape, of ordinary numbers.
    pub(crate) fn leaf(&mut self, shape: &[usize]) -> Var {
        let x = self.tape.leaf(Tensor::randn(shape, &mut self.rng).expect("ordinary shapes"));
        self.leaves.push(x.clone());
        x
    }

    /// A tensor of integers from 0 to before `end`, seldom one outside.
    pub(crate) fn indices(&mut self, name: &str, shape: &[usize], end: usize) -> Tensor<i64> {
        let index: Vec<i64> = (0..shape.iter().product())
            .map(|_| {
                let outside = self.wild() && self.wild();
                let absurd = self.any(&[-1, -100, end as i64, i64::MIN, i64::MAX]);
                if outside { absurd } else { self.within(0..=end.clamp(1, 1 << 20) - 1) as i64 }
            })
            .collect();
        Tensor::from_vec(self.tell(name, index), shape).expect("ordinary shapes")
    }

    /// Has the gradients of a layer's parameters looked at.
    pub(crate) fn watch(&mut self, layer: &impl Module) {
        self.parameters.extend(layer.parameters().into_iter().map(|(_, parameter)| parameter.clone()));
    }

    /// What is wrong with an outcome, if anything is. Of results, the sum is differentiated too.
    fn judge(&self, Outcome { expected, found }: Outcome) -> Result<bool, String> {
        match (expected, found) {
            (None, Err(error)) => here(&error).map(|()| false),
            (Some(expected), Err(error)) => Err(format!("expected {expected:?}, found {error}")),
            (expected, Ok(found)) => {
                let shapes: Vec<Vec<usize>> = found.iter().map(|y| y.shape().to_vec()).collect();
                if expected.as_ref() != Some(&shapes) {
                    return Err(format!("expected {expected:?}, found {shapes:?}"));
                }
                self.differentiate(&found).map_err(|error| format!("the gradient: {error}"))?;
                Ok(true)
            }
        }
    }

    fn differentiate(&self, found: &[Var]) -> Result<(), String> {
        let sums: Result<Vec<Var>> = found.iter().filter(|y| y.is_recorded()).map(|y| y.sum(..)).collect();
        let sums = sums.map_err(|error| error.to_string())?;
        if sums.is_empty() {
            return Ok(());
        }
        let total = Var::stack(&sums.iter().collect::<Vec<_>>(), 0).and_then(|sums| sums.sum(..));
        let gradients = total.and_then(|total| total.backward()).map_err(|error| error.to_string())?;
        let of_leaves = self.leaves.iter().map(|leaf| (leaf.shape(), gradients.wrt(leaf)));
        let of_parameters = self.parameters.iter().map(|p| (p.value().shape(), gradients.get(p)));
        for (shape, gradient) in of_leaves.chain(of_parameters) {
            if let Some(gradient) = gradient.filter(|gradient| gradient.shape() != shape) {
                return Err(format!("{} of what has shape {shape}", gradient.shape()));
            }
        }
        Ok(())
    }
}

/// Checks that an error names a line of this test.
fn here(error: &Error) -> Result<(), String> {
    match error.location() {
        Some(at) if at.file().contains("properties") => Ok(()),
        _ => Err(format!("expected a line of this test in {error}")),
    }
}

/// Draws from each family, and fails with every configuration that is judged otherwise than by its formula.
pub(crate) fn check(families: &[Family]) {
    let mut faults = vec![];
    for (name, family) in families {
        let mut accepted = 0;
        for case in 0..CASES {
            let mut draw =
                Draw::new(name.bytes().fold(case, |seed, byte| (seed << 8) ^ (seed >> 7) ^ byte as u64));
            let judged = catch_unwind(AssertUnwindSafe(|| {
                let outcome = family(&mut draw);
                draw.judge(outcome)
            }));
            match judged.unwrap_or_else(|_| Err("a panic".into())) {
                Ok(good) => accepted += u64::from(good),
                Err(fault) => {
                    faults.push(format!("{name}, case {case}: {fault}\n    {}", draw.told.join(", ")))
                }
            }
        }
        if !(CASES / 10..CASES).contains(&accepted) {
            faults.push(format!("{name}: only {accepted} of {CASES} configurations are valid, or all are"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// A number too wide to overflow.
pub(crate) fn wide(n: usize) -> i128 {
    n as i128
}

/// The shape, if a tensor can have it: fewer bytes than a TiB, and countable even without the axes of extent 0.
pub(crate) fn room(shape: impl IntoIterator<Item = i128>) -> Option<Vec<usize>> {
    let shape: Vec<usize> =
        shape.into_iter().map(|extent| usize::try_from(extent).ok()).collect::<Option<_>>()?;
    let others =
        shape.iter().filter(|&&extent| extent > 0).try_fold(1usize, |n, &extent| n.checked_mul(extent))?;
    let bytes = if shape.contains(&0) { 0 } else { others.checked_mul(4)? };
    (others <= isize::MAX as usize / 16 && bytes < 1 << 40).then_some(shape)
}

/// The axis counted from the front, if it exists.
pub(crate) fn axis_of(rank: usize, axis: isize) -> Option<usize> {
    let rank = rank as isize;
    (-rank..rank).contains(&axis).then(|| axis.rem_euclid(rank) as usize)
}

/// What two shapes broadcast to.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let joint = |axis| match [extent(a, axis), extent(b, axis)] {
        [a, b] if a == b || b == 1 => Some(a),
        [1, b] => Some(b),
        _ => None,
    };
    (0..rank).map(joint).collect()
}
