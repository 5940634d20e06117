//! Every operation's gradients, and the gradients of its gradients, against central differences.
//!
//! A case is a row in [`cases`]: what it shows, the inputs, the function. The last test reads the sources of
//! the operations and fails when one of them stands in no case.

use std::collections::BTreeSet;
use std::num::NonZeroI64;

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_autograd::{Tape, Var, grad_with, gradcheck, gradgradcheck};
use retrograd_tensor::{Divisor, Result, Slice, Sliding, Tensor, Transposed, Window, keepdim};

type V = Var<f64>;
type Unary = (&'static str, fn(&V) -> V);
type Binary = (&'static str, fn(&V, &V) -> Result<V>);

/// A row of the table, the number of inputs forgotten.
struct Case {
    name: &'static str,
    first: Box<dyn Fn() -> Result<()>>,
    second: Box<dyn Fn() -> Result<()>>,
    /// The names of the operations that the function itself records.
    operations: Box<dyn Fn() -> Result<Vec<&'static str>>>,
}

fn case<const N: usize>(
    name: &'static str,
    inputs: [Tensor<f64>; N],
    f: impl Fn([&V; N]) -> Result<V> + Clone + 'static,
) -> Case {
    let (x, f1) = (inputs.clone(), f.clone());
    let (x2, f2) = (inputs.clone(), f.clone());
    let record = move || {
        let tape = Tape::new();
        let leaves = inputs.each_ref().map(|x| tape.leaf(x.clone()));
        f(leaves.each_ref())?;
        Ok(tape.operations())
    };
    Case {
        name,
        first: Box::new(move || gradcheck(&f1, x.clone())),
        second: Box::new(move || gradgradcheck(&f2, x2.clone())),
        operations: Box::new(record),
    }
}

/// Normal numbers, the same for the same shape and `seed`: neither equal to each other nor at a kink.
fn normal<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// Numbers from ½ to 2, where logarithms, roots and quotients are tame.
fn positive<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::rand(shape, 0.5, 2.0, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// The adjoint of a linear `map` of variables of `shape`, as a function of the cotangent: the pullback,
/// recorded.
fn adjoint<const R: usize>(
    map: impl Fn(&V) -> Result<V> + Clone,
    shape: [usize; R],
) -> impl Fn([&V; 1]) -> Result<V> + Clone {
    move |[g]| {
        let tape = g.tape().cloned().unwrap_or_else(Tape::new);
        let x = tape.leaf(normal(shape, 99));
        let [gx] = grad_with(&map(&x)?, [&x], g)?;
        Ok(gx)
    }
}

fn index(positions: &[i64]) -> Tensor<i64> {
    Tensor::from_slice(positions, [positions.len()]).unwrap()
}

/// Element-wise functions, each on an awkward shape and on a scalar.
fn unary() -> Vec<Case> {
    let anywhere: Vec<Unary> = vec![
        ("scale", |x| x.scale(-1.7)),
        ("shift", |x| x.shift(0.3)),
        ("exp", Var::exp),
        ("exp_m1", Var::exp_m1),
        ("square", Var::square),
        ("abs", Var::abs),
        ("sin", Var::sin),
        ("cos", Var::cos),
        ("sigmoid", Var::sigmoid),
        ("tanh", Var::tanh),
        ("softsign", Var::softsign),
        ("relu", Var::relu),
        ("leaky_relu", |x| x.leaky_relu(0.2)),
        ("clamp", |x| x.clamp(-0.5, 0.7)),
        ("neg", |x| -x),
        ("operators with a number", |x| (2.0 - x * 3.0 + 1.0) / 4.0 + (1.0 + x * x)),
    ];
    let above_zero: Vec<Unary> = vec![
        ("ln", Var::ln),
        ("ln_1p", Var::ln_1p),
        ("sqrt", Var::sqrt),
        ("reciprocal", Var::reciprocal),
        ("powf", |x| x.powf(2.5)),
        ("powf with a negative exponent", |x| x.powf(-1.5)),
        ("powf with exponent 1", |x| x.powf(1.0)),
        ("powf with exponent 0", |x| x.powf(0.0)),
        ("a number divided", |x| 3.0 / x - 1.0),
    ];
    let rows = |(name, f): Unary, draw: fn([usize; 3], u64) -> Tensor<f64>, scalar: f64| {
        [
            case(name, [draw([1, 3, 5], 1)], move |[x]| Ok(f(x))),
            case(name, [Tensor::scalar(scalar)], move |[x]| Ok(f(x))),
        ]
    };
    let anywhere = anywhere.into_iter().flat_map(|row| rows(row, normal, -0.4));
    anywhere.chain(above_zero.into_iter().flat_map(|row| rows(row, positive, 1.3))).collect()
}

/// Functions of two variables: shapes that broadcast in either operand and in both, and one variable used
/// twice.
fn binary() -> Vec<Case> {
    let table: [Binary; 8] = [
        ("add", Var::add),
        ("sub", Var::sub),
        ("mul", Var::mul),
        ("div", Var::div),
        ("pow", Var::pow),
        ("maximum", Var::maximum),
        ("minimum", Var::minimum),
        ("where", |a, b| Var::where_(&Tensor::from([[true, false, true], [false, false, true]]), a, b)),
    ];
    let rows = |(name, f): Binary| {
        let of = move |a, b| case(name, [a, b], move |[a, b]| f(a, b));
        [
            of(positive([2, 3], 1), positive([2, 3], 2)),
            of(positive([3], 1), positive([2, 3], 2)),
            of(positive([2, 1], 1), positive([1, 3], 2)),
            of(positive([4, 2, 3], 1), positive([1, 1], 2)),
            of(positive([], 1), positive([2, 3], 2)),
            case(name, [positive([2, 3], 1)], move |[x]| f(&x.square(), x)),
            case(name, [positive([2, 3], 1)], move |[x]| f(x, &x.slice(&[Slice::from(1..)])?)),
        ]
    };
    let with_itself: [Binary; 5] =
        [("x + x", Var::add), ("x − x", Var::sub), ("x·x", Var::mul), ("x/x", Var::div), ("xˣ", Var::pow)];
    let with_itself =
        with_itself.into_iter().map(|(name, f)| case(name, [positive([3, 1], 3)], move |[x]| f(x, x)));
    table.into_iter().flat_map(rows).chain(with_itself).collect()
}

fn linear() -> Vec<Case> {
    let every_second = [Slice::from(..), Slice::from(-4..-1).step_by(2)];
    let twice = index(&[2, 0, 2]);
    let picked = Tensor::from([[2i64, 0, 0, 1], [1, 1, 1, 1]]);
    let (twice_too, picked_too, picked_three) = (twice.clone(), picked.clone(), picked.clone());
    vec![
        case("sum_to", [normal([2, 3, 5], 1)], |[x]| x.sum_to([3, 1])),
        case("sum_to a scalar", [normal([1, 3], 1)], |[x]| x.sum_to([])),
        case("broadcast_to", [normal([3, 1], 1)], |[x]| x.broadcast_to([2, 3, 5])),
        case("sum", [normal([2, 3, 5], 1)], |[x]| x.sum([0, -1])),
        case("mean", [normal([2, 3, 5], 1)], |[x]| x.mean(keepdim(1))),
        case("reshape", [normal([3, 4], 1)], |[x]| x.reshape(&[2, -1])),
        case("flatten", [normal([3, 1, 5], 1)], |[x]| x.flatten(1)),
        case("squeeze and unsqueeze", [normal([3, 1, 5], 1)], |[x]| x.squeeze(1)?.unsqueeze(0)),
        case("permute", [normal([2, 3, 5], 1)], |[x]| x.permute(&[2, 0, -2])),
        case("transpose", [normal([2, 3], 1)], |[x]| x.transpose(0, 1)?.mul(&x.reshape(&[3, 2])?)),
        case("slice", [normal([3, 5], 1)], move |[x]| x.slice(&every_second)),
        case("unslice", [normal([3, 2], 1)], adjoint(move |x| x.slice(&every_second), [3, 5])),
        case("index_select", [normal([3, 2], 1)], move |[x]| x.index_select(0, &twice)),
        case("index_add", [normal([3, 2], 1)], adjoint(move |x| x.index_select(0, &twice_too), [3, 2])),
        case("gather", [normal([2, 3], 1)], move |[x]| x.gather(-1, &picked)),
        case("gather's adjoint", [normal([2, 4], 1)], adjoint(move |x| x.gather(1, &picked_too), [2, 3])),
        case("scatter_add", [normal([2, 3], 1), normal([2, 4], 2)], move |[x, y]| {
            x.scatter_add(1, &picked_three, y)
        }),
        case("pad", [normal([2, 3], 1)], |[x]| x.pad(&[(1, 0), (-1, 2)], 0.5)),
        case("concat", [normal([2, 3], 1), normal([2, 1], 2)], |[x, y]| Var::concat(&[x, y, x], -1)),
        case("concat of one", [normal([2], 1)], |[x]| Var::concat(&[x], 0)),
        case("stack", [normal([2, 3], 1), normal([2, 3], 2)], |[x, y]| Var::stack(&[x, y, y], 1)),
    ]
}

fn products() -> Vec<Case> {
    let mut cases = vec![
        case("matmul", [normal([2, 3], 1), normal([3, 5], 2)], |[a, b]| a.matmul(b)),
        case("matmul of vectors", [normal([3], 1), normal([3], 2)], |[a, b]| a.matmul(b)),
        case("vector times batch", [normal([3], 1), normal([2, 3, 4], 2)], |[a, b]| a.matmul(b)),
        case("batch times vector", [normal([2, 4, 3], 1), normal([3], 2)], |[a, b]| a.matmul(b)),
        case("a matrix for each batch", [normal([2, 1, 3], 1), normal([3, 2], 2)], |[a, b]| a.matmul(b)),
        case("x·xᵀ", [normal([2, 3], 1)], |[x]| x.product(x, Transposed { a: false, b: true })),
        case("x·x", [normal([3, 3], 1)], |[x]| x.matmul(x)),
        case("linear", [normal([2, 3, 4], 1), normal([5, 4], 2), normal([5], 3)], |[x, w, b]| {
            x.linear(w, Some(b))
        }),
        case("linear of a vector", [normal([4], 1), normal([1, 4], 2)], |[x, w]| x.linear(w, None)),
    ];
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let matrix = |rows, columns, flip: bool| if flip { [columns, rows] } else { [rows, columns] };
        let batched = |[rows, columns]: [usize; 2], batch| [batch, rows, columns];
        let transposed = Transposed { a, b };
        let (x, y) = (matrix(2, 3, a), matrix(3, 4, b));
        let product = move |[x, y]: [&V; 2]| x.product(y, transposed);
        cases.extend([
            case("product", [normal(x, 1), normal(y, 2)], product),
            case("product of batches", [normal(batched(x, 2), 1), normal(batched(y, 2), 2)], product),
            case("product that broadcasts its left side", [normal(x, 1), normal(batched(y, 3), 2)], product),
            case("product that broadcasts its right side", [normal(batched(x, 3), 1), normal(y, 2)], product),
        ]);
    }
    cases
}

fn reductions_and_losses() -> Vec<Case> {
    vec![
        case("amax", [normal([2, 3, 5], 1)], |[x]| x.amax([0, 2])),
        case("amax of all", [normal([4, 1], 1)], |[x]| x.square().amax(..)),
        case("amin", [normal([2, 3, 5], 1)], |[x]| x.amin(keepdim(1))),
        case("var", [normal([2, 3, 5], 1)], |[x]| x.var([0, 2], 1.0)),
        case("biased var", [normal([3, 1], 1)], |[x]| x.var(.., 0.0)),
        case("softmax", [normal([2, 3, 5], 1)], |[x]| x.softmax(1)),
        case("softmax of rows", [normal([3, 4], 1)], |[x]| x.softmax(-1)),
        case("log_softmax", [normal([2, 3, 5], 1)], |[x]| x.log_softmax(0)),
        case("log_softmax of rows", [normal([3, 4], 1)], |[x]| x.log_softmax(-1)),
        case("cross_entropy", [normal([3, 4], 1)], |[x]| x.cross_entropy(&index(&[3, 0, 0]))),
        case("cross_entropy of images", [normal([2, 3, 2], 1)], |[x]| {
            x.cross_entropy(&Tensor::from([[2i64, 0], [1, 1]]))
        }),
        case("cross_entropy of one", [normal([4], 1)], |[x]| x.cross_entropy(&Tensor::scalar(2))),
        case("mse_loss", [normal([3, 1], 1), normal([3, 1], 2)], |[x, y]| x.mse_loss(y)),
        case("prelu", [normal([2, 3, 2], 1), normal([3], 2)], |[x, w]| x.prelu(w)),
        case("prelu with one slope", [normal([4], 1), normal([1], 2)], |[x, w]| x.prelu(w)),
    ]
}

fn convolutions() -> Vec<Case> {
    let uneven = Sliding { stride: [2, 1], dilation: [1, 2], padding: [[1, 0], [2, 1]] };
    let grouped = Sliding { stride: [3], dilation: [2], padding: [[0, 2]] };
    let solid = Sliding { stride: [1, 2, 1], ..Sliding::default() };
    vec![
        case(
            "conv, uneven",
            [normal([2, 3, 5, 4], 1), normal([2, 3, 3, 2], 2), normal([2], 3)],
            move |[x, w, b]| x.conv(w, Some(b), 1, uneven),
        ),
        case("conv1d in groups", [normal([1, 4, 7], 1), normal([6, 2, 2], 2)], move |[x, w]| {
            x.conv(w, None, 2, grouped)
        }),
        case(
            "conv3d without a batch",
            [normal([1, 2, 5, 2], 1), normal([2, 1, 2, 3, 1], 2)],
            move |[x, w]| x.conv(w, None, 1, solid),
        ),
        case("conv of an image with itself", [normal([1, 1, 3, 3], 1)], |[x]| {
            x.conv(x, None, 1, Sliding { padding: [[1; 2]; 2], ..Sliding::default() })
        }),
        case(
            "conv_transpose, uneven",
            [normal([2, 2, 3, 4], 1), normal([2, 3, 3, 2], 2), normal([3], 3)],
            move |[x, w, b]| x.conv_transpose(w, Some(b), 1, uneven, [1, 0]),
        ),
        case("conv_transpose1d in groups", [normal([4, 3], 1), normal([4, 3, 2], 2)], move |[x, w]| {
            x.conv_transpose(w, None, 2, grouped, [2])
        }),
        case("conv_weight", [normal([2, 3, 5], 1), normal([2, 2, 4], 2)], |[x, g]| {
            let tape = x.tape().or(g.tape()).cloned().unwrap_or_else(Tape::new);
            let w = tape.leaf(normal([2, 3, 2], 3));
            let [gw] = grad_with(&x.conv(&w, None, 1, Sliding::<1>::default())?, [&w], g)?;
            Ok(gw)
        }),
    ]
}

fn pools() -> Vec<Case> {
    let uneven = Window { kernel: [3, 2], stride: [2, 1], padding: [1, 1], ceil_mode: true };
    let mut cases = vec![
        case("max_pool, overlapping", [normal([2, 2, 5, 4], 1)], move |[x]| {
            Ok(x.max_pool(uneven, [1, 2])?.0)
        }),
        case("max_pool1d without a batch", [normal([1, 7], 1)], |[x]| Ok(x.max_pool([3], [1])?.0)),
        case("max_pool3d", [normal([1, 1, 2, 3, 4], 1)], |[x]| Ok(x.max_pool([1, 2, 3], [1; 3])?.0)),
        case("max_pool2d", [normal([1, 2, 5, 5], 1)], |[x]| x.max_pool2d(2)),
        case("max_pool's adjoint", [normal([1, 2, 2, 2], 1)], adjoint(|x| x.max_pool2d(2), [1, 2, 5, 4])),
        case("avg_pool2d", [normal([1, 2, 5, 5], 1)], |[x]| x.avg_pool2d(2)),
        case("avg_pool1d of pairs", [normal([3, 1, 6], 1)], |[x]| x.avg_pool([2], Divisor::IncludePadding)),
    ];
    for divisor in
        [Divisor::IncludePadding, Divisor::ExcludePadding, Divisor::Fixed(NonZeroI64::new(-3).unwrap())]
    {
        let pool = move |x: &V| x.avg_pool(uneven, divisor);
        cases.extend([
            case("avg_pool", [normal([2, 1, 5, 4], 1)], move |[x]| pool(x)),
            case("avg_pool's adjoint", [normal([1, 1, 3, 5], 1)], adjoint(pool, [1, 1, 5, 4])),
        ]);
    }
    cases
}

/// The same variable on several paths, of different lengths.
fn fan_out() -> Vec<Case> {
    vec![
        case("three paths", [normal([2, 3], 1)], |[x]| Ok(x.tanh() * x + x.exp() * x.sin())),
        case("a path that skips", [normal([2, 2], 1), normal([2, 2], 2)], |[x, w]| {
            let y = x.matmul(w)?.sigmoid();
            Ok(y.matmul(w)? + x + &y)
        }),
        case("a constant among variables", [normal([3], 1)], |[x]| {
            let c = Var::from(normal([2, 3], 2));
            Ok((&c * x).tanh() * c)
        }),
    ]
}

fn cases() -> Vec<Case> {
    [unary(), binary(), linear(), products(), reductions_and_losses(), convolutions(), pools(), fan_out()]
        .into_iter()
        .flatten()
        .collect()
}

/// Runs a check of every case and reports all that failed at once.
fn all(check: impl Fn(&Case) -> Result<()>) {
    let cases = cases();
    let wrong = cases.iter().filter_map(|case| Some(format!("{}: {}", case.name, check(case).err()?)));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_gradient_is_the_slope_of_its_function() {
    all(|case| (case.first)());
}

#[test]
fn every_gradient_of_a_gradient_is_the_slope_of_the_gradient() {
    all(|case| (case.second)());
}

#[test]
fn third_derivatives_are_the_slopes_of_second_derivatives() {
    fn third(f: impl Fn(&V) -> Result<V>, x: Tensor<f64>) -> Result<()> {
        let gradient = |[x]: [&V; 1]| {
            let y = f(x)?;
            // Off the tape nothing is differentiated; there the check only asks for the shape.
            if !y.is_recorded() {
                return Ok(x.clone());
            }
            let [g] = grad_with(&y, [x], &Var::from(normal([1], 5).broadcast_to(y.shape())?))?;
            Ok(g)
        };
        gradgradcheck(gradient, [x])
    }
    let w = normal([3, 2], 2);
    let kernel = normal([2, 1, 2, 2], 3);
    type Row<'a> = (&'static str, Tensor<f64>, Box<dyn Fn(&V) -> Result<V> + 'a>);
    let rows: [Row<'_>; 7] = [
        ("tanh", normal([2, 3], 1), Box::new(|x| Ok(x.tanh()))),
        ("division", positive([2, 3], 1), Box::new(|x| Ok(x / (x * x + 1.0)))),
        ("pow", positive([3], 1), Box::new(|x| x.pow(&x.square()))),
        ("softmax", normal([2, 3], 1), Box::new(|x| x.softmax(1))),
        ("log_softmax", normal([3, 2], 1), Box::new(|x| x.log_softmax(0))),
        ("a layer", normal([2, 3], 1), Box::new(|x| Ok(x.matmul(&Var::from(&w))?.sigmoid()))),
        (
            "conv",
            normal([1, 1, 3, 3], 1),
            Box::new(|x| Ok(x.conv(&Var::from(&kernel), None, 1, Sliding::<2>::default())?.exp())),
        ),
    ];
    for (name, x, f) in rows {
        third(f, x).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_operation_stands_in_a_case() {
    let checked: BTreeSet<String> =
        cases().iter().flat_map(|case| (case.operations)().unwrap()).map(String::from).collect();
    let written = sources::operations();
    let overlooked: Vec<&String> = written.difference(&checked).collect();
    assert!(overlooked.is_empty(), "operations of src/ops/ that no case records: {overlooked:?}");
    let unread: Vec<&String> = checked.difference(&written).collect();
    assert!(
        unread.is_empty(),
        "operations that the reader of src/ops/ misses, so that it may miss others: {unread:?}"
    );
}

/// Which operations the sources hold.
mod sources {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The names of the operations of `src/ops/`: those that a `name` or a `NAME` spells out, and those of the
    /// rows of the tables.
    pub(super) fn operations() -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let file = path.file_name().unwrap().to_string_lossy();
            names.extend(spelled(&text, &file));
            for table in tables(&text) {
                let invocation = format!("\n{table}! {{\n");
                text.split(&invocation).skip(1).for_each(|rows| names.extend(in_table(rows, table)));
            }
        }
        names
    }

    /// The macros whose rows become operations.
    fn tables(text: &str) -> impl Iterator<Item = &str> {
        let macros =
            text.split("\nmacro_rules! ").skip(1).map(|rest| rest.split_once(" {").expect("a macro"));
        macros.filter_map(|(name, rest)| {
            let body = &rest[..rest.find("\n}").expect("the macro's end")];
            (body.contains("fn name(") || body.contains("const NAME:")).then_some(name)
        })
    }

    /// The strings in the bodies of `fn name` and after `NAME`. Where there is none, the name must come from a
    /// table.
    fn spelled(text: &str, file: &str) -> Vec<String> {
        let mut names = Vec::new();
        for part in text.split("fn name(&self) -> &'static str {").skip(1) {
            // The body ends at the line that closes it: at the indentation of an implementation's methods.
            let end = ["\n    }", "\n                }"].iter().filter_map(|close| part.find(close)).min();
            names.extend(strings(&part[..end.expect("a body")], file));
        }
        for part in text.split("const NAME: &'static str =").skip(1) {
            names.extend(strings(&part[..part.find(';').expect("a value")], file));
        }
        names
    }

    fn strings(body: &str, file: &str) -> Vec<String> {
        let found: Vec<String> = body.split('"').skip(1).step_by(2).map(String::from).collect();
        let from_a_table = ["F::NAME", "L::NAME", "stringify!($name)", "$name"].contains(&body.trim());
        assert!(!found.is_empty() || from_a_table, "{file}: no name can be read from `{}`", body.trim());
        found
    }

    /// The names in the rows of a table: the string before the colon, or else the method after the type.
    fn in_table(rows: &str, table: &str) -> Vec<String> {
        let rows = &rows[..rows.find("\n}").expect("the table's end")];
        let heads = rows.lines().filter(|line| {
            let row = line.strip_prefix("    ").unwrap_or_default();
            row.starts_with(|c: char| c.is_ascii_uppercase())
        });
        let names: Vec<String> = heads
            .map(|head| match head.split('"').nth(1) {
                Some(name) => name.to_string(),
                None => {
                    let method = head.split_whitespace().nth(1).expect("a method after the type");
                    method.split(['(', ':']).next().expect("a name").to_string()
                }
            })
            .collect();
        assert!(!names.is_empty(), "no row can be read from `{table}`");
        names
    }
}
