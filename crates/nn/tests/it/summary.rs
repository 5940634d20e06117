//! The summary of a model against numbers by hand, and the path of an anomaly.

use retrograd_nn::{
    AvgPool2d, Conv2d, Flatten, Layer, Linear, Module, ReLU, Result, Sequential, Tanh, Tape, Tensor, Var,
    module, sequential, summary,
};

use crate::{refuses, rng};

struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}
module!(LeNet { conv1, conv2, fc1, fc2, fc3 });

impl Layer for LeNet {
    fn forward(&self, x: &Var) -> Result<Var> {
        let x = self.conv1.forward(x)?.tanh().avg_pool2d(2)?;
        let x = self.conv2.forward(&x)?.tanh().avg_pool2d(2)?;
        let x = self.fc1.forward(&x.flatten(1)?)?.tanh();
        let x = self.fc2.forward(&x)?.tanh();
        self.fc3.forward(&x)
    }
}

fn lenet() -> LeNet {
    let rng = &mut rng(0);
    LeNet {
        conv1: Conv2d::new(1, 6, 5).padding(2).build(rng).unwrap(),
        conv2: Conv2d::new(6, 16, 5).build(rng).unwrap(),
        fc1: Linear::new(400, 120).build(rng).unwrap(),
        fc2: Linear::new(120, 84).build(rng).unwrap(),
        fc3: Linear::new(84, 10).build(rng).unwrap(),
    }
}

/// Path, output, parameters and multiply-adds of the layers of LeNet-5 for one image of 28×28.
const LENET: [(&str, &[usize], usize, u64); 5] = [
    ("conv1", &[1, 6, 28, 28], 6 * 25 + 6, 6 * 25 * 28 * 28),
    ("conv2", &[1, 16, 10, 10], 16 * 150 + 16, 16 * 150 * 10 * 10),
    ("fc1", &[1, 120], 400 * 120 + 120, 400 * 120),
    ("fc2", &[1, 84], 120 * 84 + 84, 120 * 84),
    ("fc3", &[1, 10], 84 * 10 + 10, 84 * 10),
];

#[test]
fn the_layers_of_lenet_cost_what_they_cost_by_hand() {
    let table = summary(&lenet(), [1, 1, 28, 28]).unwrap();
    let layers: Vec<_> = table.rows.iter().filter(|row| !row.path.is_empty()).collect();
    assert_eq!(layers.len(), LENET.len());
    for (row, (path, output, parameters, multiply_adds)) in layers.iter().zip(LENET) {
        assert_eq!((row.path.as_str(), &row.output[..]), (path, output));
        assert_eq!((row.parameters, row.multiply_adds), (parameters, multiply_adds), "{path}");
    }
    assert_eq!(table.rows[0].multiply_adds, 117_600);
    assert_eq!((table.parameters(), table.multiply_adds()), (61_706, 416_520));
    let names: Vec<_> = table.rows.iter().flat_map(|row| row.operations.first()).copied().collect();
    assert_eq!(
        names,
        [
            "conv", "tanh", "avg_pool", "conv", "tanh", "avg_pool", "reshape", "matmul", "tanh", "matmul",
            "tanh", "matmul"
        ]
    );
    // Twice each for product with bias and tanh, once for the pooling.
    let numbers = 2 * 6 * 784 + 6 * 196 + 2 * 1600 + 400 + 2 * 120 + 2 * 84 + 10;
    assert_eq!(table.activation_bytes(), 4 * numbers);
}

#[test]
fn the_table_has_a_line_for_each_row_with_a_head_and_totals() {
    let text = summary(&lenet(), [1, 1, 28, 28]).unwrap().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 12 + 2);
    assert!(lines[1].starts_with("conv1: conv ") && lines[1].contains("117,600"), "{text}");
    assert!(lines[13].starts_with("total ") && lines[13].contains("61,706"), "{text}");
}

#[test]
fn frozen_parameters_count_and_shared_ones_count_once() {
    struct Twice(Linear);
    impl Module for Twice {
        fn visit<'a>(
            &'a self,
            path: &retrograd_nn::Path<'_>,
            see: &mut dyn FnMut(&retrograd_nn::Path<'_>, retrograd_nn::Item<'a, f32>),
        ) {
            self.0.visit(&path.field("fc"), see);
        }
        fn visit_mut<'a>(
            &'a mut self,
            path: &retrograd_nn::Path<'_>,
            see: &mut dyn FnMut(&retrograd_nn::Path<'_>, retrograd_nn::ItemMut<'a, f32>),
        ) {
            self.0.visit_mut(&path.field("fc"), see);
        }
    }
    impl Layer for Twice {
        fn forward(&self, x: &Var) -> Result<Var> {
            let x = self.0.forward(x)?;
            self.0.forward(&x)
        }
    }
    let mut model = Twice(Linear::new(3, 3).build(&mut rng(0)).unwrap());
    model.freeze();
    let table = summary(&model, [2, 3]).unwrap();
    assert_eq!(table.rows.iter().map(|row| row.parameters).collect::<Vec<_>>(), [12, 0]);
    assert_eq!(table.rows.iter().map(|row| row.multiply_adds).collect::<Vec<_>>(), [18, 18]);
}

#[test]
fn layers_of_a_chain_are_rows_of_their_own_and_errors_are_the_forward_passes() {
    let rng = &mut rng(0);
    let chain: Sequential = sequential![
        Conv2d::new(1, 2, 3).build(rng).unwrap(),
        Tanh,
        AvgPool2d::new(2),
        Flatten::default(),
        Linear::new(18, 4).build(rng).unwrap(),
        Linear::new(4, 2).bias(false).build(rng).unwrap(),
    ];
    let table = summary(&chain, [5, 1, 8, 8]).unwrap();
    let paths: Vec<&str> = table.rows.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["0", "", "", "", "4", "5"]);
    assert_eq!(table.rows[0].multiply_adds, 5 * 2 * 9 * 36);
    assert!(summary(&chain, [5, 2, 8, 8]).is_err());
    assert!(summary(&chain, [usize::MAX, 2, 8, 8]).is_err());
}

#[test]
fn an_anomaly_in_a_chain_names_the_layers_path_and_the_line_of_the_call() {
    let rng = &mut rng(0);
    let mut last: Linear = Linear::new(3, 2).build(rng).unwrap();
    last.weight.value_mut().make_mut()[0] = f32::INFINITY;
    let model: Sequential = sequential![Linear::new(2, 3).build(rng).unwrap(), sequential![ReLU, last], ReLU];
    let tape = Tape::new().detect_anomaly();
    let x = tape.constant(Tensor::from([[1.0, f32::NAN]]));
    let wrong = "0: matmul: the result [1, 3] has 3 NaN; input 0 [1, 2] held some already";
    refuses(model.forward(&x), wrong);
    let parameter = tape.anomaly().unwrap().parameter.unwrap();
    assert_eq!(model.path_of(parameter).as_deref(), Some("0.weight"));

    tape.clear();
    let error = model.forward(&tape.constant(Tensor::from([[1.0, 2.0]]))).unwrap_err();
    assert_eq!((error.path(), error.op()), ("1.1", "matmul"));
}

#[test]
fn an_anomaly_of_the_backward_pass_names_the_layer_of_a_chain() {
    struct Root;
    module!(Root {});
    impl Layer for Root {
        fn forward(&self, x: &Var) -> Result<Var> {
            Ok(x.relu().sqrt())
        }
    }
    let model: Sequential = sequential![Tanh, sequential![ReLU, Root]];
    let tape = Tape::new().detect_anomaly();
    let x = tape.leaf(Tensor::from([[0.0, 1.0]]));
    let (y, line) = (model.forward(&x).unwrap(), line!());
    let error = y.sum(..).unwrap().backward().unwrap_err();
    assert_eq!((error.path(), error.op(), error.location().unwrap().line()), ("1.1", "sqrt", line));
    assert_eq!(
        error.fact(),
        "backward: the cotangent of input 0 [1, 2] has 1 infinity; the cotangent of the result [1, 2] is finite, \
         so it begins here"
    );
}
