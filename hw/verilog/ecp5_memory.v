// Block memory of Lattice ECP5 for the simulation of placed designs; Yosys has no model of it.
// Two ports of 1, 2, 4, 9 or 18 bits on 1024 words of 18 bits, of which bits 8 and 17 exist in widths 9 and 18 only
// [FPGA-TN-02204]. Memories start with zeros. Inputs are what the cell's own multiplexers leave of its pins.
`timescale 1ns / 1ps
module DP16KD (
    input wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
        DIA1, DIA0,
    input wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input wire CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0,
    input wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
        DIB1, DIB0,
    input wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input wire CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter GSR = "ENABLED";
  parameter INIT_DATA = "STATIC";
  parameter WID = 0;

  reg [17:0] words [0:1023];
  integer index;
  initial for (index = 0; index < 1024; index = index + 1) words[index] = 18'd0;

  // Bits of a word that a port of this width has at this address.
  function [17:0] lanes(input integer width, input [13:0] address);
    case (width)
      18: lanes = {{9{address[1]}}, {9{address[0]}}};
      9: lanes = address[3] ? 18'h3fe00 : 18'h001ff;
      4: lanes = 18'h0000f << (4 * address[2] + 9 * address[3]);
      2: lanes = 18'h00003 << (2 * address[2:1] + 9 * address[3]);
      default: lanes = 18'h00001 << (address[2:0] + 9 * address[3]);
    endcase
  endfunction

  // Data of a port, at their place in the word.
  function [17:0] placed(input integer width, input [13:0] address, input [17:0] value);
    case (width)
      18: placed = value;
      9: placed = {2{value[8:0]}};
      4: placed = value[3:0] << (4 * address[2] + 9 * address[3]);
      2: placed = value[1:0] << (2 * address[2:1] + 9 * address[3]);
      default: placed = value[0] << (address[2:0] + 9 * address[3]);
    endcase
  endfunction

  // Data of a port, from the word.
  function [17:0] taken(input integer width, input [13:0] address, input [17:0] word);
    case (width)
      18: taken = word;
      9: taken = address[3] ? word[17:9] : word[8:0];
      4: taken = (word >> (4 * address[2] + 9 * address[3])) & 18'h0000f;
      2: taken = (word >> (2 * address[2:1] + 9 * address[3])) & 18'h00003;
      default: taken = (word >> (address[2:0] + 9 * address[3])) & 18'h00001;
    endcase
  endfunction

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0};
  wire [17:0] before_a = words[address_a[13:4]];
  wire [17:0] lanes_a = lanes(DATA_WIDTH_A, address_a);
  wire [17:0] after_a = (before_a & ~lanes_a) | (placed(DATA_WIDTH_A, address_a, data_a) & lanes_a);
  reg [17:0] read_a = 18'd0;
  reg [17:0] kept_a = 18'd0;
  always @(posedge CLKA) begin
    if (CEA) begin
      if (WEA) words[address_a[13:4]] <= after_a;
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE") read_a <= taken(DATA_WIDTH_A, address_a, before_a);
      else if (WRITEMODE_A == "WRITETHROUGH") read_a <= taken(DATA_WIDTH_A, address_a, after_a);
    end
    if (OCEA) kept_a <= read_a;
    if (RSTA) begin
      read_a <= 18'd0;
      kept_a <= 18'd0;
    end
  end
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2,
    DOA1, DOA0} = REGMODE_A == "OUTREG" ? kept_a : read_a;

  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0};
  wire [17:0] before_b = words[address_b[13:4]];
  wire [17:0] lanes_b = lanes(DATA_WIDTH_B, address_b);
  wire [17:0] after_b = (before_b & ~lanes_b) | (placed(DATA_WIDTH_B, address_b, data_b) & lanes_b);
  reg [17:0] read_b = 18'd0;
  reg [17:0] kept_b = 18'd0;
  always @(posedge CLKB) begin
    if (CEB) begin
      if (WEB) words[address_b[13:4]] <= after_b;
      if (!WEB || WRITEMODE_B == "READBEFOREWRITE") read_b <= taken(DATA_WIDTH_B, address_b, before_b);
      else if (WRITEMODE_B == "WRITETHROUGH") read_b <= taken(DATA_WIDTH_B, address_b, after_b);
    end
    if (OCEB) kept_b <= read_b;
    if (RSTB) begin
      read_b <= 18'd0;
      kept_b <= 18'd0;
    end
  end
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2,
    DOB1, DOB0} = REGMODE_B == "OUTREG" ? kept_b : read_b;
endmodule
