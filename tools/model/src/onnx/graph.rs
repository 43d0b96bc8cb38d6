//! A graph of operators that grows node by node. What a node gives is known by its name.

use super::proto::{Attribute, DOUBLE, Graph, Node, STRING, Tensor, ValueInfo};

/// The operators of `ai.onnx` that are used here.
pub(super) const OPSET: i64 = 21;

/// Those of `ai.onnx.ml`: the first whose trees answer in double precision.
pub(super) const ML_OPSET: i64 = 5;

/// The name of a matrix in the graph: rows of the input by some columns.
pub(super) type Name = String;

#[derive(Default)]
pub(super) struct Builder {
    graph: Graph,
}

impl Builder {
    pub(super) fn new(name: String) -> Builder {
        Builder { graph: Graph { name, ..Graph::default() } }
    }

    pub(super) fn input(&mut self, name: &str, is_text: bool, words: String) {
        let kind = if is_text { STRING } else { DOUBLE };
        self.graph.input.push(ValueInfo::matrix(name, kind, 1, words));
    }

    /// Gives a matrix the name by which users ask for it.
    pub(super) fn output(&mut self, name: &str, of: Name, is_text: bool, columns: usize, words: &str) {
        let kind = if is_text { STRING } else { DOUBLE };
        self.push("", "Identity", &[&of], name.to_owned(), Vec::new());
        self.graph.output.push(ValueInfo::matrix(name, kind, columns, words.to_owned()));
    }

    pub(super) fn finish(self) -> Graph {
        self.graph
    }

    /// What an operator of `ai.onnx` makes of its inputs.
    pub(super) fn apply(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> Name {
        let name = self.fresh(operator);
        self.push("", operator, inputs, name, attributes)
    }

    /// What an operator of `ai.onnx.ml` makes of its input.
    pub(super) fn apply_ml(&mut self, operator: &str, input: &str, attributes: Vec<Attribute>) -> Name {
        let name = self.fresh(operator);
        self.push("ai.onnx.ml", operator, &[input], name, attributes)
    }

    /// Names of inputs and outputs never begin with a slash.
    fn fresh(&self, word: &str) -> Name {
        format!("/{word}_{}", self.graph.node.len() + self.graph.initializer.len())
    }

    fn push(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        name: Name,
        attribute: Vec<Attribute>,
    ) -> Name {
        self.graph.node.push(Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
        name
    }

    pub(super) fn constant(&mut self, tensor: Tensor) -> Name {
        let name = self.fresh("constant");
        self.graph.initializer.push(Tensor { name: name.clone(), ..tensor });
        name
    }

    /// One number, for every row and column.
    pub(super) fn number(&mut self, number: f64) -> Name {
        self.constant(Tensor::doubles(&[1, 1], vec![number]))
    }

    /// A number for each column.
    pub(super) fn row(&mut self, numbers: Vec<f64>) -> Name {
        self.constant(Tensor::doubles(&[1, numbers.len()], numbers))
    }

    /// The same numbers in every row; `like` has as many rows, and one column.
    pub(super) fn rows_of(&mut self, numbers: Vec<f64>, like: &str) -> Name {
        let shape = self.apply("Shape", &[like], Vec::new());
        let zero = Attribute::tensor("value", Tensor::doubles(&[1], vec![0.0]));
        let zeros = self.apply("ConstantOfShape", &[&shape], vec![zero]);
        let numbers = self.row(numbers);
        self.apply("Add", &[&zeros, &numbers], Vec::new())
    }

    pub(super) fn side_by_side(&mut self, columns: &[Name]) -> Name {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        self.apply("Concat", &columns, vec![Attribute::int("axis", 1)])
    }

    pub(super) fn as_doubles(&mut self, of: &str) -> Name {
        self.apply("Cast", &[of], vec![Attribute::int("to", i64::from(DOUBLE))])
    }

    /// Each row's parts, added up: numbers to one column, or lists of numbers to a list, whose own axis then takes that of the parts.
    pub(super) fn sum_of_row(&mut self, of: &str, keeps_axis: bool) -> Name {
        let axes = self.constant(Tensor::int64s(vec![1]));
        self.apply("ReduceSum", &[of, &axes], vec![Attribute::int("keepdims", i64::from(keeps_axis))])
    }
}
